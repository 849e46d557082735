import { constants } from 'node:os';
import type { AttemptFolders } from '../files/scratch.js';
import { AttemptError } from '../payload/attempt-error.js';
import { startFailure } from '../payload/conclusion.js';
import type { NoticeTerms } from '../payload/notice.js';
import type { CaptureLimits } from '../payload/output-capture.js';
import type { PayloadLimits } from '../payload/payload.js';
import type { Assignment } from '../protocol/core-protocol.js';
import type { PayloadHandle } from '../supervisor/payload-handle.js';
import type { SupervisorClient } from '../supervisor/supervisor-client.js';
import { payloadCommand, type AttemptParts, type PayloadHost } from './payload-command.js';

/** Settings that all payloads of a pilot have in common. */
export interface PayloadDefaults extends PayloadHost {
  readonly captureLimits: CaptureLimits;
  /** Time between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
}

/** Starts the payload of a job. @throws AttemptError if it cannot be started */
export async function startPayload(
  supervisor: SupervisorClient,
  assignment: Assignment,
  defaults: PayloadDefaults,
  parts: () => Omit<AttemptParts, 'folders'>,
): Promise<PayloadHandle> {
  const { attemptId, continueSeconds, payload } = assignment;
  const folders = supervisor.scratch.foldersOf(attemptId);
  try {
    const { secrets, ...others } = parts();
    const spec = await payloadCommand(assignment, defaults, { folders, secrets, ...others });
    return await supervisor.start({
      attemptId,
      spec: { ...spec, scratch: folders.root },
      limits: { ...payloadLimits(assignment, defaults), notice: noticeTerms(assignment, folders) },
      capture: defaults.captureLimits,
      continueSeconds,
      masked: (secrets?.masked ?? []).map((text) => text.toString('base64')),
      secrets: secrets?.folder ?? null,
    });
  } catch (error) {
    throw error instanceof AttemptError ? error : startFailure(payload.command, error);
  }
}

/** Notice that the payload of a job receives; undefined without one. */
function noticeTerms(
  { payload: { notice } }: Assignment,
  { deadline: file }: AttemptFolders,
): NoticeTerms | undefined {
  if (!notice) return undefined;
  const { seconds, signal } = notice;
  return { seconds, signal: isSignal(signal) ? signal : null, file };
}

const isSignal = (name: string): name is NodeJS.Signals => name in constants.signals;

/** Limits of the payload of a job. */
export function payloadLimits(
  { requirements }: Assignment,
  { graceSeconds }: Pick<PayloadDefaults, 'graceSeconds'>,
): PayloadLimits {
  const { walltimeSeconds, memoryMiB, diskMiB } = requirements;
  return { walltimeSeconds, memoryMiB, diskMiB, graceSeconds };
}
