// Compile-time constants, set by the bundler through esbuild's `define`. Code
// behind a false one is dropped, so a source that does not use an option does
// not pay for it: use them where they are tested, an alias would keep the
// code. The bundler must define every constant declared here.

declare global {
  /** page() on history changes: Input.SPA. */
  const __SPA__: boolean;
}

export {};
