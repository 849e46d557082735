/** Errors of the driver that mean that the store cannot be reached at the moment. */
import { DomainError } from '@rhizome/errors';
import {
  MongoError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoOperationTimeoutError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
} from 'mongodb';

/** Codes of a server that shuts down or is no primary any more. */
const codes: ReadonlySet<unknown> = new Set([6, 7, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436]);

const classes = [
  MongoNetworkError,
  MongoNotConnectedError,
  MongoOperationTimeoutError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
] as const;

/** SERVICE_UNAVAILABLE for an error that means so; undefined for any other error. */
export function storeUnreachable(error: unknown): DomainError | undefined {
  if (!(error instanceof MongoError)) return undefined;
  const means =
    classes.some((known) => error instanceof known) ||
    codes.has(error.code) ||
    error.hasErrorLabel('RetryableWriteError');
  if (!means) return undefined;
  const details = { service: 'database' };
  return new DomainError('SERVICE_UNAVAILABLE', 'The database cannot be reached', details, { cause: error });
}
