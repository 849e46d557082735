import type { Logger } from '@rhizome/log';
import type { LimitByKey } from '@rhizome/retry';
import type { Connections, StorageError } from '@rhizome/storage';
import type { InputCache } from '../files/input-cache.js';
import { SignedFiles } from '../files/signed-files.js';
import type { SignFiles } from '../files/signed-files.types.js';
import { CoreRefused, type CoreProtocol } from '../protocol/core-protocol.js';
import type { JobReports } from '../report/job-reports.js';

/** Parts of the pilot that transfers use. */
export interface FileWorld {
  /** Connections to servers that the site allows. */
  readonly connections: Connections;
  /** Undefined without a cache. */
  readonly inputCache: InputCache | undefined;
  /** Limit of the transfers with each storage. */
  readonly transferLimit: LimitByKey;
}

/**
 * The files of a job that are in storages.
 * @param world connections to servers that the site allows, and the inputs that were fetched before
 * @param onRefused called with a refusal of core; drops the job if it is no longer this worker's
 */
export function jobFiles(
  reports: JobReports,
  core: Pick<CoreProtocol, 'signJobFiles'>,
  { connections, inputCache, transferLimit }: FileWorld,
  onRefused: (refusal: CoreRefused) => void,
  log: Logger,
): SignedFiles {
  const onFault = ({ message }: StorageError): void => log.warn({ reason: message }, 'transfer repeated');
  const sign: SignFiles = async (files, signal) => {
    try {
      return await reports.call(
        ({ workerId, signal: until }) => core.signJobFiles(workerId, reports.held, files, until),
        signal,
      );
    } catch (error) {
      if (error instanceof CoreRefused) onRefused(error);
      signal.throwIfAborted();
      throw error;
    }
  };
  return new SignedFiles(sign, { onFault }, { http: connections, cache: inputCache, limit: transferLimit });
}
