/**
 * A stream waits until its gateway is back; a query fails. So a query first shows whether there is something
 * to follow.
 */
import type { Session } from '../command.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { CliFindJobDocument } from '../operations.generated.js';

/**
 * Reads a job before it is followed.
 * @throws CliError if the job does not exist or the gateway cannot answer
 */
export async function findJob({ client }: Session, id: string): Promise<void> {
  const { job } = await client.query(CliFindJobDocument, { id });
  if (!job) throw noSuchJob(id);
}

/** The error for a job that was not found. */
export function noSuchJob(id: string): CliError {
  return new CliError(exitCodes.notFound, `Job "${id}" not found, or you may not see it.`);
}
