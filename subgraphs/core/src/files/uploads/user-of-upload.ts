import { isOverTime } from '@rhizome/mongo';
import type { UploadDocument } from './upload.document.js';
import type { UploadUsers } from './upload-users.repository.js';

/** Parts of an upload by which its users are found. */
type NamedUpload = Pick<UploadDocument, '_id' | 'experiment'>;

/**
 * What uses an upload, or will use it, as text such as `job job_…`; null if nothing does, undefined if that
 * is not known in time.
 */
export type UserOfUpload = (upload: NamedUpload) => Promise<string | null | undefined>;

/** Task, fleet or workflow with jobs that do not exist yet and will use an upload, as text. */
export type WaitingUserOf = (upload: NamedUpload) => Promise<string | undefined>;

/** Searches among jobs, and what is yet to create jobs. */
export function userOfUpload(
  users: Pick<UploadUsers, 'liveJobOf'>,
  waitingUserOf: WaitingUserOf,
): UserOfUpload {
  return async (upload) => {
    try {
      // Jobs come last: those that the others create meanwhile exist by now.
      const user = await waitingUserOf(upload);
      if (user !== undefined) return user;
    } catch (error) {
      if (isOverTime(error)) return undefined;
      throw error;
    }
    const job = await users.liveJobOf(upload);
    return job == null ? job : `job ${job}`;
  };
}
