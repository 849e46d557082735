import { execFile } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Two pipes, for the two streams of one payload. */
export interface OpenPipes {
  readonly stdout: OpenPipe;
  readonly stderr: OpenPipe;
  /** Closes this process's write ends: from then on the streams end with the last writer. */
  closeWriters(): void;
  /**
   * Closes all ends here. `isUnused`: no process has a write end any more, so that the pipes can serve
   * another payload.
   */
  close(isUnused: boolean): void;
}

/** One pipe. */
export interface OpenPipe {
  readonly reader: Socket;
  readonly writeFd: number;
}

const run = promisify(execFile);

/**
 * Named pipes. Node's own pipes are sockets, on which a shell's `> /dev/stderr` fails, and Node cannot create
 * others; so `mkfifo` creates them, and payloads reuse them.
 */
export class PipePool {
  readonly #folder: string;
  readonly #idle: string[] = [];
  #made = 0;

  /** @param folder folder for the named pipes; removed with the pilot */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens an unused pair. */
  async open(): Promise<OpenPipes> {
    const name = this.#idle.pop() ?? (await this.#make());
    const [stdout, stderr] = [openPipe(`${name}.out`), openPipe(`${name}.err`)];
    return {
      stdout,
      stderr,
      closeWriters: () => [stdout, stderr].forEach(({ writeFd }) => closeSync(writeFd)),
      close: (isUnused) => {
        [stdout, stderr].forEach(({ reader }) => reader.destroy());
        if (isUnused) this.#idle.push(name);
      },
    };
  }

  async #make(): Promise<string> {
    this.#made += 1;
    const name = join(this.#folder, `pipe-${this.#made}`);
    await run('mkfifo', ['-m', '600', `${name}.out`, `${name}.err`]);
    return name;
  }
}

function openPipe(path: string): OpenPipe {
  // Without O_NONBLOCK, opening would wait for a writer, and the writer for this reader.
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeFd = openSync(path, constants.O_WRONLY);
  return { reader: new Socket({ fd: readFd, readable: true, writable: false }), writeFd };
}
