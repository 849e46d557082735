/** `rhizome why`: why a job waits. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../command.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import type { Finish } from '../flags.js';
import { CliWhyDocument, type CliWhyQuery } from '../operations.generated.js';
import { type Output, say, sayJson, sayTable } from '../output.js';

/** Adds the command. */
export function addWhy(program: Command, world: World, finish: Finish): void {
  const command = program.command('why').description('why a job waits').argument('<job>', 'a job');
  command.action((id: string) => finish(withSession(command, world, (session) => why(session, id))));
}

async function why({ client, output }: Session, id: string): Promise<ExitCode> {
  const { job } = await client.query(CliWhyDocument, { id });
  if (!job) throw new CliError(exitCodes.notFound, `job ${id} does not exist, or you may not see it`);
  if (output.json) sayJson(output, job);
  else tell(output, job);
  return exitCodes.ok;
}

function tell(output: Output, job: NonNullable<CliWhyQuery['job']>): void {
  say(output, `${job.name} is ${job.state}.`);
  if (job.hold) say(output, `Held by ${job.hold.by}: ${job.hold.reason}`);
  if (job.notBefore) say(output, `Waits until ${job.notBefore} before the next attempt.`);
  const waiting = job.dependsOn.filter(({ state }) => state !== 'FINISHED');
  if (waiting.length > 0) {
    sayTable(
      output,
      ['WAITS FOR', 'NAME', 'STATE'],
      waiting.map(({ id, name, state }) => [id, name, state]),
    );
  }
  const { pending } = job;
  if (!pending) return;
  say(output, pending.summary);
  if (pending.constraints.length > 0) {
    const rows = pending.constraints.map(({ constraint, workersThatPass, reasons }) => [
      constraint,
      `${workersThatPass} of ${pending.workersConsidered}`,
      reasons.join('; '),
    ]);
    sayTable(output, ['CONSTRAINT', 'WORKERS', 'WHY NOT'], rows);
  }
  say(output, `${pending.workersThatFit} workers fit when empty, ${pending.workersFreeNow} now.`);
  if (pending.position !== null)
    say(output, `${pending.position} ready jobs of share ${job.share} stand before it.`);
  if (pending.isShareBorrowing)
    say(output, `Share ${job.share} is over its nominal quota: others come first.`);
}
