// Helpers for integrations, one exported function per file, live in kit/.
export {}
