// Compile-time constants, set by the bundler through esbuild's `define`.
// Code behind a false one is dropped, so a source that does not use an option
// does not pay for it. The bundler must define every constant listed here.

/** page() on history changes: Input.SPA. */
declare const __SPA__: boolean;

export const spa: boolean = __SPA__;
