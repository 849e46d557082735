/**
 * What was measured for a requirement class, as preferences read it. Values that are unknown are left out, so
 * that conditions on them are not met.
 */

/** Names and CEL types of the attributes of `measured`. */
export const measuredSchema = {
  finished: 'int',
  failed: 'int',
  successRate: 'double',
  speed: 'double',
  siteFinished: 'int',
  siteFailed: 'int',
  siteSuccessRate: 'double',
  hostFinished: 'int',
  hostFailed: 'int',
  hostSuccessRate: 'double',
  hostSpeed: 'double',
} as const;

/** Ended attempts of a class at one place. */
export interface MeasuredAttempts {
  readonly finished: number;
  /** Attempts that failed, without those that reached a limit, lost contact, or ended as planned. */
  readonly failed: number;
  /** Sum of the times that the finished attempts ran, in seconds. */
  readonly seconds: number;
}

/** Ended attempts of a class by queue and host. */
export interface ClassRecord {
  readonly revision: number;
  readonly queues: readonly (MeasuredAttempts & { readonly queue: string; readonly site: string })[];
  readonly hosts: readonly (MeasuredAttempts & { readonly queue: string; readonly host: string })[];
}

/** The queue and host of a worker. */
export interface MeasuredPlace {
  readonly queue: string;
  readonly site: string;
  readonly host: string;
}

/** Returns true for an attribute of `measured` that differs between the hosts of a queue. */
export function isOfHost(attribute: string): boolean {
  return attribute.startsWith('host');
}

/** Attributes of `measured` for workers at the place. */
export function measuredView(
  record: ClassRecord | undefined,
  { queue, site, host }: MeasuredPlace,
): Readonly<Record<string, unknown>> {
  const { queues = [], hosts = [] } = record ?? {};
  const meanSeconds = meanOf(total(queues));
  const atQueue = total(queues.filter((one) => one.queue === queue));
  const atSite = total(queues.filter((one) => one.site === site));
  const atHost = total(hosts.filter((one) => one.queue === queue && one.host === host));
  return {
    finished: BigInt(atQueue.finished),
    failed: BigInt(atQueue.failed),
    siteFinished: BigInt(atSite.finished),
    siteFailed: BigInt(atSite.failed),
    hostFinished: BigInt(atHost.finished),
    hostFailed: BigInt(atHost.failed),
    ...known('successRate', successRateOf(atQueue)),
    ...known('siteSuccessRate', successRateOf(atSite)),
    ...known('hostSuccessRate', successRateOf(atHost)),
    ...known('speed', speedOf(atQueue, meanSeconds)),
    ...known('hostSpeed', speedOf(atHost, meanSeconds)),
  };
}

function total(all: readonly MeasuredAttempts[]): MeasuredAttempts {
  let [finished, failed, seconds] = [0, 0, 0];
  for (const one of all) {
    finished += one.finished;
    failed += one.failed;
    seconds += one.seconds;
  }
  return { finished, failed, seconds };
}

function meanOf({ finished, seconds }: MeasuredAttempts): number | undefined {
  return finished === 0 || seconds <= 0 ? undefined : seconds / finished;
}

function successRateOf({ finished, failed }: MeasuredAttempts): number | undefined {
  return finished + failed === 0 ? undefined : finished / (finished + failed);
}

/** Speed relative to all queues: 2 if the attempts take half of the mean time. */
function speedOf(attempts: MeasuredAttempts, meanSeconds: number | undefined): number | undefined {
  const own = meanOf(attempts);
  return own === undefined || meanSeconds === undefined ? undefined : meanSeconds / own;
}

function known(name: keyof typeof measuredSchema, value: number | undefined): Record<string, number> {
  return value === undefined ? {} : { [name]: value };
}
