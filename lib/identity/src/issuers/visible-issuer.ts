/** The part of an issuer's record that concerns the experiments of its reader. */
import { areVisible, concerns, type VisibleExperiments } from '../visible-experiments.js';
import type { IssuerSettingsRecord, MappingRule } from './issuer.document.js';

/**
 * The record without the experiments, rights, rules and queues of others. Null if its tokens give no rights
 * in a visible experiment: such a record does not exist for the reader.
 */
export function visibleIssuer<T extends IssuerSettingsRecord>(
  issuer: T,
  visible: VisibleExperiments,
): T | null {
  if (visible === '*') return issuer;
  const experiments = issuer.experiments.filter((name) => concerns(name, visible));
  if (experiments.length === 0) return null;
  // A worker that enrols by a rule runs jobs of all experiments of the issuer.
  const hasQueues = areVisible(issuer.experiments, visible);
  const rules = issuer.rules.flatMap((rule) => visibleRule(rule, visible, hasQueues) ?? []);
  return { ...issuer, experiments, rules };
}

function visibleRule(
  rule: MappingRule,
  visible: VisibleExperiments,
  hasQueues: boolean,
): MappingRule | undefined {
  const grants = rule.grants.filter(({ experiment }) => concerns(experiment, visible));
  const queues = hasQueues ? rule.queues : [];
  return grants.length + queues.length > 0 ? { ...rule, grants, queues } : undefined;
}
