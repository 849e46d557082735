import type { Logger } from '@rhizome/log';
import { AttemptError } from '../payload/attempt-error.js';
import type { Contact } from '../report/contact.js';

/** Time between two tries of a transfer while there is no contact. */
const transferPauseMs = 5000;

/**
 * A transfer that fails while core is out of reach may fail for the same reason, so it is repeated until it
 * succeeds, contact is back, or the signal.
 */
export async function repeatInSilence<T>(
  transfer: () => Promise<T>,
  { contact, log }: { readonly contact: Contact; readonly log: Logger },
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    const hadContact = contact.isOpen;
    try {
      return await transfer();
    } catch (error) {
      const isFinal = hadContact && contact.isOpen;
      if (isFinal || signal.aborted || !(error instanceof AttemptError)) throw error;
      log.warn({ reason: error.message }, 'transfer failed without contact; retrying');
      await contact.whenOpen(transferPauseMs);
    }
  }
}
