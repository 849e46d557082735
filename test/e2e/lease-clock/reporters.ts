/** Workers that report every quarter of a second, whatever happens to their reports. */
import { leftovers, waitFor } from '@rhizome/testkit';
import type { Api } from '../system/api.js';
import { submit } from '../system/jobs.js';
import { type Grant, speakAsWorker, type SpokenWorker } from '../system/pilots.js';
import type { ServiceSystem } from '../system/service-system.js';

/** Leases of the two queues. */
export const leaseSeconds = { short: 5, long: 600 } as const;

/** A worker that runs one job. */
export interface Reporter {
  readonly worker: SpokenWorker;
  readonly grant: Grant;
  /** Number of reports that were answered. */
  readonly answered: number;
  /** Stops to report; resolves when no report is under way. */
  pause(): Promise<void>;
  resume(): void;
}

/** Creates a queue for each length of the lease. */
export async function createQueues(api: Api): Promise<void> {
  for (const [name, seconds] of Object.entries(leaseSeconds)) {
    const input = { name, site: 'STORY', limits: { heartbeatSeconds: 1, leaseSeconds: seconds } };
    await api.change('createQueue', input);
  }
}

/** Starts two workers in each queue, with a job each whose payload stops with the lease. */
export async function startReporters(
  system: ServiceSystem,
  api: Api,
  via: string,
): Promise<[short: readonly Reporter[], long: readonly Reporter[]]> {
  const started = async (queue: keyof typeof leaseSeconds): Promise<readonly Reporter[]> => {
    const requirements = { memoryMiB: 64, diskMiB: 1, queue };
    const job = { requirements, continuity: { onDisconnect: 'STOP' }, retry: { maxAttempts: 3 } };
    await submit(api, [job, job]);
    return [
      await startReporter(system, { queue, name: `${queue} one`, via }),
      await startReporter(system, { queue, name: `${queue} two`, via }),
    ];
  };
  const long = await started('long');
  return [await started('short'), long];
}

const periodMs = 250;
/** A report that hangs must not keep the next ones from being sent. */
const mostUnderWay = 8;

async function startReporter(
  system: ServiceSystem,
  options: { readonly queue: string; readonly name: string; readonly via: string },
): Promise<Reporter> {
  const worker = await speakAsWorker(system, options);
  const held: Grant[] = [];
  let answered = 0;
  const underWay = new Set<Promise<unknown>>();
  const report = (): void => {
    if (underWay.size >= mostUnderWay) return;
    const sent = worker
      .heartbeat(held)
      // The service is down: a pilot tries again, too.
      .then(
        () => (answered += 1),
        () => undefined,
      )
      .finally(() => underWay.delete(sent));
    underWay.add(sent);
  };
  let timer: NodeJS.Timeout | undefined = setInterval(report, periodMs);
  const pause = async (): Promise<void> => {
    clearInterval(timer);
    timer = undefined;
    await Promise.all(underWay);
  };
  leftovers.defer('a reporter', pause);
  const grant = await waitFor('a job', async () => (await worker.acquire(1, { waitSeconds: 60 }))[0], {
    deadlineMs: 120_000,
  });
  held.push(grant);
  await worker.start(grant, 'RUNNING');
  return {
    worker,
    grant,
    get answered() {
      return answered;
    },
    pause,
    resume: () => (timer ??= setInterval(report, periodMs)),
  };
}
