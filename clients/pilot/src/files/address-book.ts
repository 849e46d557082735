import type { FileAddress, SignedRead, SignedWrite, SignFiles } from './signed-files.types.js';

/** Files of one call. */
interface Files {
  readonly reads: readonly SignedRead[];
  readonly writes: readonly SignedWrite[];
}

/** Time before its end at which an address is renewed: a transfer has to begin in it. */
const reserveMs = 30_000;
/** Most files of one call, by the API. */
const mostFiles = { reads: 1000, writes: 100 };

/** Addresses of the files of one stage, which are renewed together. */
export class AddressBook {
  readonly #files: Files;
  readonly #sign: SignFiles;
  #addresses: Promise<ReadonlyMap<string, FileAddress>> | undefined;

  constructor(files: Partial<Files>, sign: SignFiles) {
    this.#files = { reads: [], writes: [], ...files };
    this.#sign = sign;
  }

  /** A valid address of a file. @throws CoreRefused; the signal's reason */
  async of(file: Pick<SignedRead, 'name'> & Partial<SignedRead>, signal: AbortSignal): Promise<FileAddress> {
    for (let isNew = false; ; isNew = true) {
      const asked = this.#addresses;
      const addresses = asked ?? (this.#addresses = this.#all(signal));
      const address = await addresses.then(
        (known) => known.get(keyOf(file)),
        (error: unknown) => {
          if (this.#addresses === addresses) this.#addresses = undefined;
          throw error;
        },
      );
      if (address === undefined) throw new Error(`core has not signed ${JSON.stringify(file.name)}`);
      if (isNew || asked === undefined || address.expiresAt.getTime() - Date.now() > reserveMs)
        return address;
      // Several transfers may notice it at once.
      if (this.#addresses === addresses) this.#addresses = undefined;
    }
  }

  /** Asks for new addresses next time: the storage has refused one. */
  renew(): void {
    this.#addresses = undefined;
  }

  async #all(signal: AbortSignal): Promise<ReadonlyMap<string, FileAddress>> {
    const found = new Map<string, FileAddress>();
    const { reads, writes } = this.#files;
    const calls = [
      ...parts(reads, mostFiles.reads).map((part) => ({ reads: part, writes: [] })),
      ...parts(writes, mostFiles.writes).map((part) => ({ reads: [], writes: part })),
    ];
    for (const call of calls)
      for (const address of await this.#sign(call, signal)) found.set(keyOf(address), address);
    return found;
  }
}

function keyOf({ name, jobId = null }: Pick<SignedRead, 'name'> & Partial<SignedRead>): string {
  return `${jobId ?? ''}/${name}`;
}

function parts<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, at) => items.slice(at * size, (at + 1) * size));
}
