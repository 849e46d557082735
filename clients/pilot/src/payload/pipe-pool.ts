import { execFile } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Two pipes, for the two streams of one payload. */
export interface OpenPipes {
  readonly stdout: OpenPipe;
  readonly stderr: OpenPipe;
  /** Closes this process's writing ends: from then on the streams end when the last writer does. */
  closeWriters(): void;
  /** Closes all ends here. `isQuiet`: nobody has a writing end any more, so that the pipes may serve another payload. */
  close(isQuiet: boolean): void;
}

/** One pipe. */
export interface OpenPipe {
  readonly reader: Socket;
  readonly writeFd: number;
}

const run = promisify(execFile);

/**
 * Real pipes with names. Those that Node makes are sockets, on which a shell's `> /dev/stderr` fails; and it has no call for others, so they
 * are made by `mkfifo`, and used again by one payload after the other.
 */
export class PipePool {
  readonly #folder: string;
  readonly #idle: string[] = [];
  #made = 0;

  /** @param folder where the names of the pipes are; it goes when the pilot does */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens a pair that nobody else has. */
  async open(): Promise<OpenPipes> {
    const name = this.#idle.pop() ?? (await this.#make());
    const [stdout, stderr] = [openPipe(`${name}.out`), openPipe(`${name}.err`)];
    return {
      stdout,
      stderr,
      closeWriters: () => [stdout, stderr].forEach(({ writeFd }) => closeSync(writeFd)),
      close: (isQuiet) => {
        [stdout, stderr].forEach(({ reader }) => reader.destroy());
        if (isQuiet) this.#idle.push(name);
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
  // Without O_NONBLOCK, opening would wait for a writer, and the writer's opening for this reader.
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeFd = openSync(path, constants.O_WRONLY);
  return { reader: new Socket({ fd: readFd, readable: true, writable: false }), writeFd };
}
