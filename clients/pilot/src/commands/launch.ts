// The main process of a batch job or a container: it starts the pilot again when it dies, so that its
// payloads continue. It imports no more than it needs.
import { Backoff, sleep } from '@rhizome/retry';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { exitCodes } from './exit-codes.js';

/** The file is read again for each start: it may belong to a newer version. */
const program = fileURLToPath(new URL('../bin.js', import.meta.url));
const forwarded = ['SIGTERM', 'SIGINT', 'SIGUSR2'] as const;
/** A pilot that ran for this time is started again without delay. */
const steadyMs = 60_000;
const delays = { initialDelayMs: 1000, maxDelayMs: 60_000 };

/** Runs pilots until one ends on purpose. Returns its exit code. */
export async function launch(args: readonly string[]): Promise<number> {
  const stopping = new AbortController();
  const backoff = new Backoff(delays);
  let pilot: ChildProcess | undefined;
  for (const signal of forwarded)
    process.on(signal, () => {
      if (signal !== 'SIGUSR2') stopping.abort();
      pilot?.kill(signal);
    });
  for (;;) {
    const startedAt = performance.now();
    const { code, signal } = await runPilot(args, (started) => (pilot = started));
    pilot = undefined;
    if (code !== null && isOnPurpose(code)) return code;
    if (stopping.signal.aborted) return code ?? exitCodes.ended;
    if (code === exitCodes.handedOver) continue;
    if (performance.now() - startedAt > steadyMs) backoff.reset();
    const delayMs = backoff.next();
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    console.error(
      `rhizome-pilot: the pilot ended ${how}; it is started again in ${Math.ceil(delayMs / 1000)} s`,
    );
    await sleep(delayMs, stopping.signal);
    if (stopping.signal.aborted) return exitCodes.ended;
  }
}

interface PilotEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A host without free memory or processes starts none for a while; the payloads run on meanwhile. */
async function runPilot(args: readonly string[], onStart: (pilot: ChildProcess) => void): Promise<PilotEnd> {
  try {
    const pilot = spawn(process.execPath, [...process.execArgv, program, ...args], {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    });
    onStart(pilot);
    const [code, signal] = (await once(pilot, 'exit')) as [number | null, NodeJS.Signals | null];
    return { code, signal };
  } catch (error) {
    console.error(`rhizome-pilot: the pilot was not started: ${String(error)}`);
    return { code: exitCodes.fault, signal: null };
  }
}

/** True if another start would end in the same way, or the pilot has drained. */
function isOnPurpose(code: number): boolean {
  return code === exitCodes.ended || code === exitCodes.refused || code === exitCodes.usage;
}
