/** `rhizome logs`: what a job wrote; with `-f` as it is written. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../command.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import { type Finish, wholeNumber } from '../flags.js';
import { CliLogDocument, type CliLogQuery } from '../operations.generated.js';
import { type Output, sayJson } from '../output.js';

interface LogFlags {
  readonly follow?: boolean;
  readonly attempt?: number;
}

const terminalStates = new Set<string>(['FINISHED', 'FAILED', 'CANCELLED', 'CLOSED']);
/** How often a followed log is asked for more while the payload runs. */
const followEveryMs = 500;

/** Adds the command. */
export function addLogs(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('logs')
    .description(
      "a job's captured output: standard output on standard output, standard error on standard error",
    )
    .argument('<job>', 'a job')
    .option('-f, --follow', 'go on until the attempt ends')
    .option('-a, --attempt <n>', 'the attempt; the latest by default', wholeNumber(1, 20));
  command.action((id: string, flags: LogFlags) =>
    finish(withSession(command, world, (session) => logs(session, id, flags))),
  );
}

async function logs(
  { client, output, signal }: Session,
  id: string,
  { follow, attempt }: LogFlags,
): Promise<ExitCode> {
  let of = attempt ?? null;
  for (let after: string | null = null; ;) {
    const { job }: CliLogQuery = await client.query(CliLogDocument, { id, attempt: of, after });
    if (!job) throw new CliError(exitCodes.notFound, `job ${id} does not exist, or you may not see it`);
    // The attempt is fixed by the first page that has one: a retry in between must not change what is followed.
    if (of === null && job.attempt > 0) of = job.attempt;
    for (const chunk of job.log.chunks) tell(output, chunk);
    after = job.log.endCursor ?? after;
    if (job.log.hasNextPage) continue;
    const isOver = job.log.isComplete || (job.attempt === 0 && terminalStates.has(job.state));
    if (!follow || isOver || signal.aborted) return exitCodes.ok;
    await sleep(followEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

function tell(
  output: Output,
  chunk: { readonly stream: 'STDOUT' | 'STDERR'; readonly text: string; readonly at: string },
): void {
  if (output.json) sayJson(output, { at: chunk.at, stream: chunk.stream, text: chunk.text }, true);
  else (chunk.stream === 'STDERR' ? output.errors : output.stream).write(chunk.text);
}
