type Listener = (...args: any[]) => void;

export interface Emitter {
  on(name: string, listener: Listener): void;
  once(name: string, listener: Listener): void;
  /** Without a listener: all of that name. */
  off(name: string, listener?: Listener): void;
  emit(name: string, ...args: unknown[]): void;
}

/** failed is told what a listener threw. */
export function createEmitter(failed: (error: unknown) => void): Emitter {
  const listeners = new Map<string, Listener[]>();
  const list = (name: string) => listeners.get(name) || [];
  const self: Emitter = {
    on: (name, listener) => {
      listeners.set(name, list(name).concat(listener));
    },
    once(name, listener) {
      const once = (...args: unknown[]) => {
        self.off(name, once);
        listener(...args);
      };
      self.on(name, once);
    },
    off: (name, listener) => {
      listeners.set(name, list(name).filter((l) => listener && l !== listener));
    },
    emit: (name, ...args) =>
      list(name).forEach((listener) => {
        try {
          listener(...args);
        } catch (e) {
          if (name !== 'error') failed(e); // or a throwing error listener would be told of itself
        }
      }),
  };
  return self;
}
