import type { ReportedDevice, DetectedDevice } from '../hardware/gpus/detected-device.js';
import type {
  DeviceInput,
  FailJobInput,
  FinishJobInput,
  HeartbeatInput,
  HeldJobInput,
  JobCheckpointsInput,
  JobMetricsInput,
  JobProgressInput,
  PilotAcquireJobsMutation,
  PilotSignJobFilesMutation,
  WorkerHardwareInput,
} from '../operations.generated.js';
import type { FileAddress } from '../files/signed-files.types.js';
import type { Usage } from '../payload/usage-meter.js';
import type {
  Assignment,
  CheckpointReport,
  DeviceReport,
  FailReport,
  FinishReport,
  HeldJob,
  ProgressReport,
  Refusal,
  ReportAnswer,
  WorkerFacts,
} from './core-protocol.js';

/** A user error of a worker's mutation. */
export interface WorkerError {
  readonly code: string;
  readonly message: string;
  readonly path: readonly string[];
}

/** An address in the pilot's form. */
export function addressOf({
  headers,
  expiresAt,
  validSeconds,
  sizeBytes,
  sha256,
  ...file
}: PilotSignJobFilesMutation['signJobFiles']['files'][number]): FileAddress {
  return {
    ...file,
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
    expiresAt: new Date(expiresAt),
    validUntilMs: performance.now() + validSeconds * 1000,
    digest: sizeBytes === null || sha256 === null ? undefined : { sizeBytes, sha256 },
  };
}

/** Facts about a host in the API's form. */
export function hardwareInput(facts: WorkerFacts): WorkerHardwareInput {
  const { cpu, cores, memoryMiB, diskMiB, containerRuntimes, network, isolation } = facts;
  return {
    cpuVendor: cpu.vendor,
    cpuModel: cpu.model,
    architecture: cpu.architecture,
    architectureLevel: cpu.level,
    cores,
    memoryMiB,
    diskMiB,
    containerRuntimes: [...containerRuntimes],
    hasNetwork: network,
    isolation: [...isolation],
    isNetworkIsolated: facts.networkIsolation,
    hasSystemCallFilter: facts.systemCallFilter,
    processContainment: [...facts.containment],
  };
}

/** Facts about a device in the API's form. */
export function deviceInput(device: ReportedDevice & Partial<DetectedDevice>): DeviceInput {
  const { sources, visibleAs: _visibleAs, names: _names, tiles: _tiles, eccEnabled, ...facts } = device;
  return {
    ...facts,
    ...(eccEnabled === undefined ? {} : { isEccEnabled: eccEnabled }),
    sources: sources.map(({ fact, source }) => ({
      fact: fact === 'eccEnabled' ? 'isEccEnabled' : fact,
      source,
    })),
  };
}

/** A held job in the API's form. */
export function heldInput({ jobId, fence }: HeldJob): HeldJobInput {
  return { id: jobId, fence };
}

/** Device changes in a heartbeat. */
export function reportInput(report: DeviceReport | null): Pick<HeartbeatInput, 'devices' | 'deviceUse'> {
  if (report === null) return {};
  const { devices, isUseOnly } = report;
  if (!isUseOnly) return { devices: devices.map(deviceInput) };
  const isKnown = ({ utilisation, memoryUsedMiB }: ReportedDevice): boolean =>
    utilisation !== undefined || memoryUsedMiB !== undefined;
  return {
    deviceUse: devices
      .filter(isKnown)
      .map(({ id, utilisation, memoryUsedMiB }) => ({ id, utilisation, memoryUsedMiB })),
  };
}

type ApiAssignment = PilotAcquireJobsMutation['acquireJobs']['assignments'][number];

/**
 * Assignments in the pilot's form, without those that were taken back before they were read: the pilot may
 * not see their environment any more.
 */
export function assignmentsOf(assignments: readonly ApiAssignment[]): readonly Assignment[] {
  return assignments.flatMap((assignment) => {
    const { environment } = assignment.job.payload;
    return environment === null ? [] : [assignmentOf(assignment, environment)];
  });
}

function assignmentOf(
  { job, fence, attempt, attemptId, deviceIds, continueSeconds, checkpoints }: ApiAssignment,
  environment: Assignment['payload']['environment'],
): Assignment {
  const { id, name, dependsOn } = job;
  const { gpu, ...requirements } = job.requirements;
  const { secrets, nodeInputs, ...others } = job.payload;
  const secretIds = [...new Set(secrets.map(({ secretId }) => secretId))];
  const payload = { ...others, environment, secretIds, readsNodes: nodeInputs.length > 0 };
  const parents = dependsOn.map((parent) => ({ jobId: parent.id, outputs: parent.outputs }));
  const sharesDevices = gpu?.partition?.timeShare != null;
  return {
    jobId: id,
    fence,
    attempt,
    attemptId,
    name,
    requirements,
    continueSeconds,
    deviceIds,
    sharesDevices,
    payload,
    parents,
    checkpoints,
  };
}

/** Progress of a job in the API's form. */
export function progressInput({ jobId, fence, step, fraction, at }: ProgressReport): JobProgressInput {
  return { id: jobId, fence, step, fraction, at: at.toISOString() };
}

/** Checkpoints of a job in the API's form. */
export function checkpointsInput({ jobId, fence, checkpoints }: CheckpointReport): JobCheckpointsInput {
  const given = checkpoints.map(({ files, ...checkpoint }) => ({ ...checkpoint, files: [...files] }));
  return { id: jobId, fence, checkpoints: given };
}

/** Usage of a payload in the API's form; unknown values are null. */
function metricsInput(usage: Usage): JobMetricsInput {
  return { ...usage };
}

export function finishInput({ jobId, fence, phase, exitCode, usage, outputs }: FinishReport): FinishJobInput {
  return {
    id: jobId,
    fence,
    phase,
    exitCode,
    metrics: metricsInput(usage),
    outputs: outputs.map((output) => ({ ...output })),
  };
}

export function failInput({
  jobId,
  fence,
  exitCode,
  signal,
  error,
  usage,
  outputs = [],
}: FailReport): FailJobInput {
  const { retryable, ...rest } = error;
  const failure = { ...rest, isRetryable: retryable };
  return {
    id: jobId,
    fence,
    exit: exitOf(exitCode, signal),
    error: failure,
    metrics: usage === null ? null : metricsInput(usage),
    outputs: outputs.map((output) => ({ ...output })),
  };
}

function exitOf(code: number | null, signal: string | null): FailJobInput['exit'] {
  if (code !== null) return { code };
  return signal === null ? null : { signal };
}

interface BatchPayload {
  readonly acceptedIds: readonly string[];
  readonly userErrors: readonly WorkerError[];
}

/**
 * The refused reports of a batch with their errors: an error names its job by the index in the input, or
 * applies to all of them.
 */
export function refusedOf(
  reports: readonly HeldJob[],
  { acceptedIds, userErrors }: BatchPayload,
): ReportAnswer {
  const accepted = new Set(acceptedIds);
  const refused = new Map<string, Refusal>();
  const general = userErrors.find(({ path }) => indexIn(path) === undefined);
  reports.forEach(({ jobId }, index) => {
    if (accepted.has(jobId)) return;
    const own = userErrors.find(({ path }) => indexIn(path) === index) ?? general;
    refused.set(
      jobId,
      own ?? { code: 'INVALID_VALUE', message: 'the report was neither accepted nor refused' },
    );
  });
  return { refused };
}

function indexIn(path: readonly string[]): number | undefined {
  const at = path.indexOf('jobs');
  const index = at < 0 ? undefined : path[at + 1];
  return index !== undefined && /^\d+$/.test(index) ? Number(index) : undefined;
}
