/** Causes of the failure of a job. Pure. */
import { plural } from '../shared/plural.js';
import type { Cause, Evidence } from './diagnosis.types.js';
import { causeOfError, type FailedAttempt } from './error-causes.js';
import type { DiagnosedJob, HostFacts, JobFacts } from './job-facts.types.js';
import { endOfLog, findInLog } from './log-findings.js';
import { causesOfPlaces, spreadOf } from './peers.js';

/** Certainty of a host that core has found to fail jobs that last elsewhere. */
const unhealthyHost = 0.85;
/** Longest time between the failures of such a judgement and the end of the attempt. */
const judgedWithinMs = 3_600_000;
/** Fraction of the requested memory below which the measured peak speaks against a lack of memory. */
const smallPeak = 0.5;

/** The latest attempt, if it failed. */
export function failedAttempt({ attempts }: Pick<DiagnosedJob, 'attempts'>): FailedAttempt | undefined {
  const latest = attempts.at(-1);
  return latest?.error ? { ...latest, error: latest.error } : undefined;
}

/** The latest attempt that failed with a code. */
export function attemptWith(
  { attempts }: Pick<DiagnosedJob, 'attempts'>,
  code: string,
): FailedAttempt | undefined {
  return attempts
    .flatMap((attempt) => (attempt.error?.code === code ? [{ ...attempt, error: attempt.error }] : []))
    .at(-1);
}

/** Causes of the failure of the latest attempt, not ranked; empty if it did not fail. */
export function failureCauses(facts: JobFacts): readonly Cause[] {
  const { job, log = null, host } = facts;
  const attempt = failedAttempt(job);
  if (!attempt) return [];
  const { site, error } = attempt;
  const peers = isCounted(attempt, facts) ? facts.peers : undefined;
  const stated = causeOfError(job, attempt);
  const fromLog = isAboutPayload(attempt) ? logCauses(log) : [];
  const end = fromLog.length === 0 && isAboutPayload(attempt) ? endOfLog(log) : undefined;
  const place = { host: attempt.host, site, error, queueName: facts.queue?.name };
  const isJudged = host !== undefined && isJudgedFor(attempt, host);
  const evidence = [
    ...stated.evidence,
    ...(end === undefined ? [] : [lines(end)]),
    ...decisionOf(attempt),
    ...[spreadOf(error, peers) ?? []].flat(),
    ...(host && !isJudged ? [hostEvidence(host)] : []),
  ];
  return [
    ...[{ ...stated, evidence }, ...fromLog].map((cause) => lessMemory(cause, job, attempt)),
    ...placeCauses(isJudged ? host : undefined, causesOfPlaces(place, peers)),
  ];
}

/** True if the failures that are counted may contain that of the attempt. */
function isCounted({ endedAt }: FailedAttempt, { now, peers }: JobFacts): boolean {
  return !endedAt || !peers || now.getTime() - endedAt.getTime() <= peers.hours * 3_600_000;
}

/** True if core found that the host failed jobs, at about the time of the attempt. */
function isJudgedFor({ endedAt }: FailedAttempt, { judged }: HostFacts): boolean {
  if (!judged || !endedAt) return judged !== undefined;
  const at = endedAt.getTime();
  return at >= judged.firstAt.getTime() - judgedWithinMs && at <= judged.lastAt.getTime() + judgedWithinMs;
}

/** The judgement about a host rests on the same failures as their counts: it takes their place. */
function placeCauses(host: HostFacts | undefined, places: readonly Cause[]): readonly Cause[] {
  if (!host) return places;
  const own = hostCause(host);
  const same = places.filter(({ kind }) => kind === 'HOST').flatMap(({ evidence }) => evidence);
  return [{ ...own, evidence: [...own.evidence, ...same] }, ...places.filter(({ kind }) => kind !== 'HOST')];
}

/** A lack of memory is less likely if the payload used little of it. */
function lessMemory(cause: Cause, job: DiagnosedJob, attempt: FailedAttempt): Cause {
  const isLess = cause.kind === 'MEMORY' && cause.confidence < 1 && hasSmallPeak(job, attempt);
  return isLess ? { ...cause, confidence: cause.confidence / 2 } : cause;
}

/** True if the measured peak of memory is far below the requested amount. */
export function hasSmallPeak(
  { requirements }: Pick<DiagnosedJob, 'requirements'>,
  { metrics }: Pick<FailedAttempt, 'metrics'>,
): boolean {
  const { peakMemoryMiB } = metrics ?? {};
  return peakMemoryMiB !== undefined && peakMemoryMiB < smallPeak * requirements.memoryMiB;
}

/** False for an attempt whose payload did not cause its end: its log says nothing about it. */
function isAboutPayload({ error: { family, code } }: FailedAttempt): boolean {
  return code !== 'CHECKPOINTED' && family !== 'SYSTEM' && family !== 'WORKER';
}

/**
 * A trace or an abort says little if other lines say why: programs write it after any error. Only the first
 * cause has the lines around the match, because those of the others are often the same.
 */
function logCauses(log: string | null): readonly Cause[] {
  const findings = findInLog(log);
  const most = findings[0]?.pattern.confidence ?? 0;
  return findings.map(({ pattern: { kind, statement, confidence }, excerpt, line, count }, at) => ({
    ...{ kind, statement },
    confidence: kind === 'PROGRAM' && confidence < most ? confidence / 2 : confidence,
    evidence: [{ ...lines(at === 0 ? excerpt : line), count }],
  }));
}

function lines(text: string): Evidence {
  return { kind: 'LOG_LINES', text };
}

function decisionOf({ number, decision }: FailedAttempt): readonly Evidence[] {
  if (!decision) return [];
  const rule = decision.rule === undefined ? '' : ` by rule "${decision.rule}"`;
  return [{ kind: 'RULE', text: `After attempt ${number}: ${decision.outcome}${rule}: ${decision.reason}` }];
}

function hostCause(host: HostFacts): Cause {
  return {
    kind: 'HOST',
    statement: `Host ${host.host} of queue ${host.queue}, on which the latest attempt ran, is ${host.state}.`,
    confidence: unhealthyHost,
    evidence: [hostEvidence(host)],
  };
}

function hostEvidence({ host, queue, state, reason, since }: HostFacts): Evidence {
  const target = { kind: 'HOST', id: host, queueName: queue } as const;
  return { kind: 'HOST', text: `Host ${host} is ${state}: ${reason}`, target, since };
}

/** Number of failed attempts, and hosts on which they ran, in words. */
export function attemptsText({ attempts }: Pick<DiagnosedJob, 'attempts'>): string {
  const failed = attempts.filter(({ error }) => error !== undefined);
  const hosts = new Set(failed.flatMap(({ host }) => host ?? []));
  const where =
    hosts.size === 0
      ? ''
      : ` on ${hosts.size === 1 ? `host ${[...hosts].join('')}` : plural(hosts.size, 'host')}`;
  return `${plural(failed.length, 'attempt')}${where}`;
}
