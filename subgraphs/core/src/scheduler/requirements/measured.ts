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

/** Most hosts of a record, of all queues. */
export const maxHosts = 200;

/** Attributes of `measured` for workers at the place. */
export function measuredView(
  record: ClassRecord | undefined,
  { queue, site, host }: MeasuredPlace,
): Readonly<Record<string, unknown>> {
  const { meanSeconds, byQueue, bySite, byHost, hasAllHosts } = record ? totalsOf(record) : noTotals;
  const atQueue = byQueue.get(queue) ?? none;
  const atSite = bySite.get(site) ?? none;
  const listed = byHost.get(hostKey(queue, host));
  const atHost = listed ?? none;
  return {
    finished: BigInt(atQueue.finished),
    failed: BigInt(atQueue.failed),
    siteFinished: BigInt(atSite.finished),
    siteFailed: BigInt(atSite.failed),
    // The counts of a host that a full list does not have are unknown, not zero.
    ...(listed || hasAllHosts
      ? { hostFinished: BigInt(atHost.finished), hostFailed: BigInt(atHost.failed) }
      : {}),
    ...known('successRate', successRateOf(atQueue)),
    ...known('siteSuccessRate', successRateOf(atSite)),
    ...known('hostSuccessRate', successRateOf(atHost)),
    ...known('speed', speedOf(atQueue, meanSeconds)),
    ...known('hostSpeed', speedOf(atHost, meanSeconds)),
  };
}

/** A record by place, for the many workers that are compared with it. */
interface RecordTotals {
  readonly meanSeconds: number | undefined;
  readonly byQueue: ReadonlyMap<string, MeasuredAttempts>;
  readonly bySite: ReadonlyMap<string, MeasuredAttempts>;
  readonly byHost: ReadonlyMap<string, MeasuredAttempts>;
  readonly hasAllHosts: boolean;
}

const none: MeasuredAttempts = { finished: 0, failed: 0, seconds: 0 };
const noTotals = totalsIn({ revision: 0, queues: [], hosts: [] });
const totals = new WeakMap<ClassRecord, RecordTotals>();

function totalsOf(record: ClassRecord): RecordTotals {
  let found = totals.get(record);
  if (!found) totals.set(record, (found = totalsIn(record)));
  return found;
}

function totalsIn({ queues, hosts }: ClassRecord): RecordTotals {
  const bySite = new Map<string, MeasuredAttempts>();
  for (const one of queues) bySite.set(one.site, total([bySite.get(one.site) ?? none, one]));
  return {
    meanSeconds: meanOf(total(queues)),
    byQueue: new Map(queues.map((one) => [one.queue, one])),
    bySite,
    byHost: new Map(hosts.map((one) => [hostKey(one.queue, one.host), one])),
    hasAllHosts: hosts.length < maxHosts,
  };
}

function hostKey(queue: string, host: string): string {
  return `${queue} ${host}`;
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
