/** Something that must be closed at the end, in one of the usual spellings. */
export type Closable =
  { close(): unknown } | { stop(): unknown } | { dispose(): unknown } | { [Symbol.asyncDispose](): unknown };

interface Leftover {
  readonly what: string;
  readonly dispose: () => unknown;
}

const stack: Leftover[] = [];

/** Resources that tests have opened; closed after the file's last test, the newest first. */
export const leftovers = {
  /** Closes the thing at the end of the file, unless it is closed before (closing twice must be harmless). */
  use<T extends Closable>(thing: T, what = 'something'): T {
    this.defer(what, () => close(thing));
    return thing;
  },

  /** Runs at the end of the file. */
  defer(what: string, dispose: () => unknown): void {
    stack.push({ what, dispose });
  },

  /** Closes everything now; what cannot be closed is reported together, after all else is closed. */
  async disposeAll(): Promise<void> {
    const faults: string[] = [];
    for (let leftover = stack.pop(); leftover; leftover = stack.pop()) {
      try {
        await leftover.dispose();
      } catch (error) {
        faults.push(`${leftover.what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (faults.length > 0) throw new Error(`could not be closed:\n${faults.join('\n')}`);
  },
};

function close(thing: Closable): unknown {
  if ('close' in thing) return thing.close();
  if ('stop' in thing) return thing.stop();
  if ('dispose' in thing) return thing.dispose();
  return thing[Symbol.asyncDispose]();
}
