/** Whether there is something to follow: a stream waits for its gateway as long as it takes, a question does not. */
import type { Session } from '../command.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { CliFindJobDocument } from '../operations.generated.js';

/** Asks for a job before it is followed. @throws CliError where there is none, and what keeps the gateway from answering */
export async function findJob({ client }: Session, id: string): Promise<void> {
  const { job } = await client.query(CliFindJobDocument, { id });
  if (!job) throw noSuchJob(id);
}

/** What is said of a job that is not there. */
export function noSuchJob(id: string): CliError {
  return new CliError(exitCodes.notFound, `job ${id} does not exist, or you may not see it`);
}
