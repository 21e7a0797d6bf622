/** Of the runtime; sent as context.library.version of each event. */
export const version = '0.1.0';
