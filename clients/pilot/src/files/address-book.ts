import type { FileAddress, FilesToSign, SignedRead, SignFiles } from './signed-files.types.js';

/** Name of a file of the stage. */
export type FileName = Pick<SignedRead, 'name'> & Partial<SignedRead>;

/** Time before its end at which an address is renewed: a transfer has to begin in it. */
const reserveMs = 30_000;
/**
 * Most files of one call. The API permits 1000 reads, but core signs all within some seconds or refuses all,
 * and some storages ask a server for each file.
 */
const mostFiles = 100;

/** Addresses of the files of one stage, which are renewed together. */
export class AddressBook {
  readonly #files: FilesToSign;
  readonly #sign: SignFiles;
  #asked: Promise<ReadonlyMap<string, FileAddress>> | undefined;
  /** The last addresses that core gave. */
  #known: ReadonlyMap<string, FileAddress> = new Map();
  /** Files that need no address any more. */
  readonly #done = new Set<string>();

  constructor(files: Partial<FilesToSign>, sign: SignFiles) {
    this.#files = { reads: [], writes: [], ...files };
    this.#sign = sign;
  }

  /** A valid address of a file. @throws CoreRefused; the signal's reason */
  async of(file: FileName, signal: AbortSignal): Promise<FileAddress> {
    const key = keyOf(file);
    this.#done.delete(key);
    for (let isNew = false; ; isNew = true) {
      const asked = this.#asked;
      const asking = asked ?? (this.#asked = this.#ask(signal));
      const addresses = await asking.catch((error: unknown) => {
        this.#drop(asking);
        throw error;
      });
      const address = addresses.get(key);
      const isLast = isNew || asked === undefined;
      if (address && (isLast || address.validUntilMs - performance.now() > reserveMs)) return address;
      if (isLast) throw new Error(`core has not signed ${JSON.stringify(file.name)}`);
      // Several transfers may notice it at once.
      this.#drop(asking);
    }
  }

  /** Asks for new addresses next time, unless there are some already: the storage has refused this one. */
  renew(refused: FileAddress): void {
    if (this.#known.get(keyOf(refused)) === refused) this.#asked = undefined;
  }

  /** The file was transferred: addresses are renewed without it. */
  done(file: FileName): void {
    this.#done.add(keyOf(file));
  }

  #drop(asked: Promise<unknown>): void {
    if (this.#asked === asked) this.#asked = undefined;
  }

  async #ask(signal: AbortSignal): Promise<ReadonlyMap<string, FileAddress>> {
    const found = new Map<string, FileAddress>();
    const isOpen = (file: FileName): boolean => !this.#done.has(keyOf(file));
    const reads = this.#files.reads.filter(isOpen);
    const writes = this.#files.writes.filter(isOpen);
    const calls = [
      ...parts(reads, mostFiles).map((part) => ({ reads: part, writes: [] })),
      ...parts(writes, mostFiles).map((part) => ({ reads: [], writes: part })),
    ];
    for (const call of calls)
      for (const address of await this.#sign(call, signal)) found.set(keyOf(address), address);
    this.#known = found;
    return found;
  }
}

function keyOf({ name, jobId = null }: FileName): string {
  return `${jobId ?? ''}/${name}`;
}

function parts<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, at) => items.slice(at * size, (at + 1) * size));
}
