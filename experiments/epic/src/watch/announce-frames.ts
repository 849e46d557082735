/** Announces frames at the gateway. */
import type { ApiClient } from '@rhizome/client';
import { EpicAnnounceFramesDocument } from '../operations.generated.js';
import type { AnnounceFrames, CompleteFrame, Refusal } from './folder-watch.js';

/**
 * Announces frames of a run. If some are refused for what they are, the others are announced without them.
 * @throws Error if the run accepts no frames, and RhizomeApiError if the gateway does not answer
 */
export function announceFrames(client: ApiClient, runNumber: number): AnnounceFrames {
  return async (frames) => {
    const refused = new Map<number, Refusal>();
    let left: readonly CompleteFrame[] = frames;
    while (left.length > 0) {
      const input = {
        runNumber,
        frames: left.map((frame) => ({ ...frame, recordedAt: frame.recordedAt.toISOString() })),
      };
      const { announceEpicTimeFrames } = await client.mutate(
        EpicAnnounceFramesDocument,
        { input },
        { idempotent: true },
      );
      const { userErrors } = announceEpicTimeFrames;
      if (userErrors.length === 0) break;
      const before = refused.size;
      for (const { path, message, code } of userErrors) {
        const frame = path[0] === 'frames' ? left[Number(path[1])] : undefined;
        if (frame) refused.set(frame.number, { reason: message, isFinal: code === 'FRAME_CONFLICT' });
      }
      if (refused.size === before) throw new Error(userErrors.map(({ message }) => message).join(' '));
      left = left.filter(({ number }) => !refused.has(number));
    }
    return refused;
  };
}
