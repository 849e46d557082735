/** Order of causes, and causes of one kind as one. Pure. */
import { type Cause, type CauseKind, causeKinds } from './diagnosis.types.js';

/** Most evidence of one cause. */
const mostEvidence = 10;
/** Most causes of a diagnosis. */
const mostCauses = 10;

/**
 * Causes, the most certain first. Those of one kind are one: the most certain one states it, with the
 * evidence of all; two independent ones make it more certain than either.
 * @param weightOf order of the causes; absent: their certainty
 */
export function ranked(
  causes: readonly Cause[],
  weightOf: (cause: Cause) => number = ({ confidence }) => confidence,
): readonly Cause[] {
  const byKind = new Map<CauseKind, Cause>();
  for (const cause of causes) {
    const known = byKind.get(cause.kind);
    byKind.set(cause.kind, known ? united(known, cause) : cause);
  }
  const position = (kind: CauseKind): number => causeKinds.indexOf(kind);
  return [...byKind.values()]
    .sort((one, other) => weightOf(other) - weightOf(one) || position(one.kind) - position(other.kind))
    .slice(0, mostCauses)
    .map((cause) => ({ ...cause, evidence: cause.evidence.slice(0, mostEvidence) }));
}

/** Certainty, multiplied by the share of the failures; a cause without a share explains all. */
export function byShare({ confidence, share = 1 }: Cause): number {
  return confidence * share;
}

function united(one: Cause, other: Cause): Cause {
  const [first, second] = other.confidence > one.confidence ? [other, one] : [one, other];
  const share = first.share ?? second.share;
  const both = 1 - (1 - first.confidence) * (1 - second.confidence);
  return {
    ...first,
    confidence: Math.round(both * 100) / 100,
    ...(share === undefined ? {} : { share }),
    evidence: [...first.evidence, ...second.evidence].slice(0, mostEvidence),
  };
}
