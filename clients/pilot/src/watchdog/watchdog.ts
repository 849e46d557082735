import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AttemptMark } from '../processes/attempt-processes.js';

/**
 * A small shell that waits at the end of a pipe: a shell and not Node, because there is one for each payload. It is told who leads
 * the payload ("leader PID START") and when all is over ("done"). The pipe's end without "done" means that the pilot has died.
 */
const script = `
trap '' TERM INT HUP
pid= start=
while read -r word first second; do
  case $word in
    leader) pid=$first start=$second ;;
    done) exit 0 ;;
  esac
done
exec "$1" "$2" "$3" "$pid" "$start"
`;

const sweeper = fileURLToPath(new URL('./watchdog-main.js', import.meta.url));

/** Guards one attempt: if this process dies, however it dies, nothing of the attempt stays alive. */
export interface Watchdog {
  /** Its process, for tests and logs. */
  readonly pid: number;
  /** Says who leads the payload's group. */
  watch(leader: NonNullable<AttemptMark['leader']>): void;
  /** Ends the guard; to be called when nothing of the attempt is left. */
  release(): Promise<void>;
}

/**
 * Starts the guard of an attempt, before its payload is started. It has a session of its own, so that no signal meant for the
 * pilot's group reaches it, and is started again if somebody ends it.
 * @throws the error of the operating system when no process can be started
 */
export async function startWatchdog(attemptId: string): Promise<Watchdog> {
  let child = await startShell(attemptId);
  let leader: AttemptMark['leader'];
  let isReleased = false;
  const tell = (line: string): void => void child.stdin?.write(`${line}\n`);
  const keepAlive = (): void => {
    child.once('exit', () => {
      if (isReleased) return;
      void startShell(attemptId).then(
        (next) => {
          child = next;
          if (leader !== undefined) tell(`leader ${leader.pid} ${leader.startTicks}`);
          if (isReleased) tell('done');
          else keepAlive();
        },
        () => undefined,
      );
    });
  };
  keepAlive();
  return {
    get pid() {
      return child.pid ?? 0;
    },
    watch(payload) {
      leader = payload;
      tell(`leader ${payload.pid} ${payload.startTicks}`);
    },
    async release() {
      isReleased = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      tell('done');
      await ended;
    },
  };
}

async function startShell(attemptId: string): Promise<ChildProcess> {
  const args = ['-c', script, 'rhizome-watchdog', process.execPath, sweeper, attemptId];
  const child = spawn('/bin/sh', args, {
    detached: true,
    cwd: '/',
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Writing to a shell that somebody has ended is no fault of ours; its exit is seen on its own.
  child.stdin?.on('error', () => undefined);
  await once(child, 'spawn');
  return child;
}
