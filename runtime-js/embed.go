// Package runtimejs embeds the browser runtime: the TypeScript that every
// bundle starts with and the only code an integration may import.
package runtimejs

import "embed"

// FS holds start.ts and everything it imports.
//
//go:embed *.ts kit/*.ts
var FS embed.FS
