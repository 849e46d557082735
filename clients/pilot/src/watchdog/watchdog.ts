import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AttemptMark } from '../processes/attempt-processes.js';

/**
 * A small shell that waits at the end of a pipe: a shell instead of Node, because each running payload has
 * one. It reads the attempt it guards ("attempt ID LIMIT GROUP"), the payload's leader ("leader PID START")
 * and the end of both ("done"); then it may guard another. The end of the pipe means that the pilot has
 * ended; if it comes before "done", the pilot has died.
 */
const script = `
trap '' TERM INT HUP
attempt= limit= group= pid= start=
while read -r word first second third; do
  case $word in
    attempt) attempt=$first limit=$second group=$third pid= start= ;;
    leader) pid=$first start=$second ;;
    done) attempt= ;;
  esac
done
[ -n "$attempt" ] || exit 0
exec "$1" "$2" "$attempt" "$pid" "$start" "$limit" "$group"
`;

const sweeper = fileURLToPath(new URL('./watchdog-main.js', import.meta.url));

type Leader = NonNullable<AttemptMark['leader']>;

/** Guards one attempt: if this process dies, for whatever reason, nothing of the attempt stays alive. */
export interface Watchdog {
  /** Its process, for tests and logs. */
  readonly pid: number;
  /** Sets the leader of the payload's group. */
  watch(leader: Leader): void;
  /** Ends the guard; call it when nothing of the attempt is left. */
  release(): void;
}

/** Largest number of idle watchdogs: reusing one saves the milliseconds of starting a process. */
const maxIdle = 16;

/** The watchdogs of one pilot, one for each running attempt. */
export class Watchdogs {
  readonly #idle: Shell[] = [];
  #isClosed = false;

  /**
   * A guard for an attempt, to be created before its payload is started.
   * @throws the error of the operating system if no process can be started
   */
  async guard(attemptId: string, lockLimit?: number, groupFolder?: string): Promise<Watchdog> {
    const shell = this.#idle.pop() ?? (await Shell.start());
    shell.guard(attemptId, lockLimit, groupFolder);
    return {
      get pid() {
        return shell.pid;
      },
      watch: (leader) => shell.watch(leader),
      release: () => {
        shell.done();
        if (this.#isClosed || this.#idle.length >= maxIdle) void shell.end();
        else this.#idle.push(shell);
      },
    };
  }

  /** Ends idle watchdogs. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#idle.splice(0).map(async (shell) => shell.end()));
  }
}

/**
 * One shell. It has its own session, so that no signal to the pilot's group reaches it; if it is killed,
 * another takes over.
 */
class Shell {
  #child: ChildProcess;
  #attemptId: string | undefined;
  #lockLimit: number | undefined;
  #groupFolder: string | undefined;
  #leader: Leader | undefined;
  #isEnding = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#replaceWhenEnded();
  }

  static async start(): Promise<Shell> {
    return new Shell(await startShell());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  guard(attemptId: string, lockLimit?: number, groupFolder?: string): void {
    this.#attemptId = attemptId;
    this.#lockLimit = lockLimit;
    this.#groupFolder = groupFolder;
    this.#send(`attempt ${attemptId} ${lockLimit ?? '-'} ${groupFolder ?? ''}`);
  }

  watch(leader: Leader): void {
    this.#leader = leader;
    this.#send(`leader ${leader.pid} ${leader.startTicks}`);
  }

  done(): void {
    this.#attemptId = this.#leader = undefined;
    this.#send('done');
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }

  #send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  #replaceWhenEnded(): void {
    this.#child.once('exit', () => {
      if (!this.#isEnding) void this.#replace().catch(() => undefined);
    });
  }

  async #replace(): Promise<void> {
    const leader = this.#leader;
    this.#child = await startShell();
    this.#replaceWhenEnded();
    if (this.#attemptId !== undefined) this.guard(this.#attemptId, this.#lockLimit, this.#groupFolder);
    if (leader !== undefined && this.#leader === leader) this.watch(leader);
    if (this.#isEnding) await this.end();
  }
}

async function startShell(): Promise<ChildProcess> {
  const args = ['-c', script, 'rhizome-watchdog', process.execPath, sweeper];
  const child = spawn('/bin/sh', args, {
    detached: true,
    cwd: '/',
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Writing to a shell that was killed is not an error here; its exit is handled separately.
  child.stdin?.on('error', () => undefined);
  await once(child, 'spawn');
  return child;
}
