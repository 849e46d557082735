/** Causes of the failure of a job. Pure. */
import { plural } from '../shared/plural.js';
import type { Cause, Evidence } from './diagnosis.types.js';
import { causeOfError, type FailedAttempt } from './error-causes.js';
import type { DiagnosedJob, HostFacts, JobFacts } from './job-facts.types.js';
import { endOfLog, findInLog } from './log-findings.js';
import { causesOfPlaces } from './peers.js';

/** Certainty of a host that core has found to fail jobs that last elsewhere. */
const unhealthyHost = 0.85;

/** The latest attempt, if it failed. */
export function failedAttempt({ attempts }: Pick<DiagnosedJob, 'attempts'>): FailedAttempt | undefined {
  const latest = attempts.at(-1);
  return latest?.error ? { ...latest, error: latest.error } : undefined;
}

/** Causes of the failure of the latest attempt, not ranked; empty if it did not fail. */
export function failureCauses(facts: JobFacts): readonly Cause[] {
  const { job, log = null, peers, host } = facts;
  const attempt = failedAttempt(job);
  if (!attempt) return [];
  const { site, error } = attempt;
  const stated = causeOfError(job, attempt);
  const fromLog = isAboutPayload(attempt) ? logCauses(log) : [];
  const end = fromLog.length === 0 && isAboutPayload(attempt) ? endOfLog(log) : undefined;
  const place = { host: attempt.host, site, error, queueName: facts.queue?.name };
  return [
    {
      ...stated,
      evidence: [...stated.evidence, ...(end === undefined ? [] : [lines(end)]), ...decisionOf(attempt)],
    },
    ...fromLog,
    ...(host ? [hostCause(host)] : []),
    ...causesOfPlaces(place, peers),
  ];
}

/** False for an attempt whose payload did not cause its end: its log says nothing about it. */
function isAboutPayload({ error: { family } }: FailedAttempt): boolean {
  return family !== 'SYSTEM' && family !== 'WORKER';
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

function hostCause({ host, queue, state, reason, since }: HostFacts): Cause {
  const target = { kind: 'HOST', id: host, queueName: queue } as const;
  return {
    kind: 'HOST',
    statement: `Host ${host} of queue ${queue}, on which the latest attempt ran, is ${state}.`,
    confidence: unhealthyHost,
    evidence: [{ kind: 'HOST', text: `${state}: ${reason}`, target, since }],
  };
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
