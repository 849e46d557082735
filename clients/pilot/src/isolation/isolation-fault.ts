import { Sandbox } from './sandbox.js';

/**
 * Tries the isolation of payloads without image, as a pilot of this user does on this host.
 * @param scratch folder for the trial, which leaves nothing in it
 * @returns the reason why it does not work; undefined if it works
 */
export async function isolationFault(scratch: string): Promise<string | undefined> {
  const found = await Sandbox.find({ readable: [], scratch, filtersSystemCalls: false });
  return found instanceof Sandbox ? undefined : found.reason;
}
