import { OutputFolder } from '../files/output-folder.js';
import { removeFolders, Scratch } from '../files/scratch.js';
import { bootId } from '../processes/process-identity.js';
import { killAttempt } from '../processes/sweep.js';
import type { Assignment } from '../protocol/core-protocol.js';
import { JobReports } from '../report/job-reports.js';
import { removeOldSecretFiles } from '../secrets/secret-files.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import { AttemptRecord, type RecordedAssignment } from '../supervisor/attempt-record.js';
import { PayloadHandle } from '../supervisor/payload-handle.js';
import type { LeftPart } from '../supervisor/supervisors.js';
import type { HeldRun } from './held-jobs.js';
import { JobRun, type JobRunServices } from './job-run.js';
import { leftReports, takeOverReports } from './left-reports.js';

/**
 * Continues the attempts that earlier pilots of this name have left: those whose payload runs, those whose
 * payload has ended, and those that were being prepared. What is not among them has ended: core learns that
 * from the registration, which does not name it.
 */
export async function adoptAttempts(services: JobRunServices): Promise<readonly HeldRun[]> {
  const { log, spool, supervisors } = services;
  const spools = new Map((await spool.takeOver()).map((left) => [left.attemptId, left]));
  await removeUnusedSecrets(supervisors.left);
  const runs: HeldRun[] = [];
  for (const part of supervisors.left) {
    for (const attemptId of part.attemptIds) {
      const left = spools.get(attemptId) ?? spool.attempt(attemptId);
      spools.delete(attemptId);
      const run = await adopt(part, left, services).catch(async (error: unknown) => {
        log.error({ err: error, attemptId }, 'attempt of an earlier pilot lost');
        await endPayload(part, new AttemptRecord(part.folder, attemptId));
        return undefined;
      });
      if (run !== undefined) runs.push(run);
    }
  }
  return [...runs, ...(await takeOverReports(spools.values(), services))];
}

/** Secrets that were received for a payload, which was not started then. */
async function removeUnusedSecrets(parts: readonly LeftPart[]): Promise<void> {
  const own = parts.flatMap(({ client }) => (client === undefined ? [] : [client.process]));
  const records = parts.flatMap(({ folder, attemptIds }) =>
    attemptIds.map((attemptId) => new AttemptRecord(folder, attemptId)),
  );
  const starts = await Promise.all(records.map(async (record) => record.start()));
  await removeOldSecretFiles(own, new Set(starts.flatMap((start) => start?.secrets ?? [])));
}

/** Undefined if nothing of the attempt can continue; nothing of it is left then. */
async function adopt(
  part: LeftPart,
  spool: AttemptSpool,
  services: JobRunServices,
): Promise<HeldRun | undefined> {
  const record = new AttemptRecord(part.folder, spool.attemptId);
  // If its end is among the reports, only they are left.
  const reports = spool.isMade ? await leftReports(spool, services) : undefined;
  const recorded = reports === undefined ? await record.assignment() : undefined;
  const run = recorded && (await continued(recorded, { part, record, spool }, services));
  if (run !== undefined) return run;
  await endPayload(part, record);
  if (reports === undefined) await spool.discard();
  await removeFolders(new Scratch(part.folder).foldersOf(record.attemptId));
  await record.remove();
  return reports;
}

/** Nothing of an attempt that is over runs on. Processes of before the last start of the host are others. */
async function endPayload({ client }: LeftPart, record: AttemptRecord): Promise<void> {
  const start = await record.start();
  const leader = start?.bootId === bootId() ? start.leader : undefined;
  await killAttempt({ attemptId: record.attemptId, leader });
  client?.forget(record.attemptId);
}

interface Left {
  readonly part: LeftPart;
  readonly record: AttemptRecord;
  readonly spool: AttemptSpool;
}

async function continued(
  { assignment, outputs }: RecordedAssignment,
  { part, record, spool }: Left,
  services: JobRunServices,
): Promise<HeldRun | undefined> {
  const [start, progress] = await Promise.all([record.start(), record.progress()]);
  const fence = Math.max(assignment.fence, progress?.fence ?? 0);
  const log = services.log.child({ jobId: assignment.jobId, attempt: assignment.attempt });
  const own = { ...services, log };
  const payload = await payloadOf(part, record);
  if (payload === undefined)
    return start === undefined && !(await record.hasOutput())
      ? prepareAgain({ ...assignment, fence }, { part, record, spool }, own)
      : undefined;
  const { jobId, attemptId } = assignment;
  const state = { jobId, fence, attemptId, nextSequence: progress?.nextSequence ?? 0 };
  const scratch = new Scratch(part.folder);
  const reports = await JobReports.resume(state, spool, own);
  // A pilot that was killed may have written a report, and not the progress.
  payload.output.startAt(Math.max(progress?.outputOffset ?? 0, reports.leftOffset));
  return new JobRun({ ...assignment, fence }, own, {
    reports,
    record,
    scratch,
    payload,
    outputs: await OutputFolder.reopen(scratch.foldersOf(attemptId).outputs, outputs),
    phase: progress?.phase ?? null,
    secrets: start?.secrets ?? null,
  });
}

/** The payload, if it runs or its end is known. */
async function payloadOf({ client }: LeftPart, record: AttemptRecord): Promise<PayloadHandle | undefined> {
  const running = client?.payload(record.attemptId);
  if (running !== undefined) return running;
  const end = await record.end();
  return end && PayloadHandle.ended(record, end);
}

/** The earlier pilot has ended before it started the payload. */
async function prepareAgain(
  assignment: Assignment,
  { part, record, spool }: Left,
  services: JobRunServices,
): Promise<HeldRun> {
  await killAttempt({ attemptId: record.attemptId });
  await removeFolders(new Scratch(part.folder).foldersOf(record.attemptId));
  await record.remove();
  await spool.discard();
  return new JobRun(assignment, services);
}
