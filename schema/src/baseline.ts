/** The committed baseline: what the subgraphs of this repository compose to. */
import { DomainError } from '@rhizome/errors';
import { stringify } from 'yaml';
import { supergraphHead, supergraphPath } from './committed.js';
import { compose } from './compose.js';
import { discoverSubgraphs, type FoundSubgraph, gatewaySubgraph } from './discover.js';
import { checkAmongOthers } from './graph-rules.js';
import { renderRefusals } from './refusals.js';
import { checkExperimentSchema, definedTypes, type RuleViolation } from './rules.js';

/** The committed files by their path relative to the root, with the content they must have. */
export type Baseline = Readonly<Record<string, string>>;

/**
 * Composes the repository at `root`. Throws SCHEMA_INVALID with every error if the subgraphs do not compose
 * or an experiment violates a rule of the project.
 */
export function composeBaseline(root: string): Baseline {
  const subgraphs = [...discoverSubgraphs(root), gatewaySubgraph(root)];
  const faults = subgraphs.flatMap((subgraph) => violations(subgraph, subgraphs));
  const result = compose(subgraphs);
  if (!result.ok) faults.push(...result.faults.map(({ code, message }) => `${code}: ${message}`));
  if (!result.ok || faults.length > 0) {
    throw new DomainError(
      'SCHEMA_INVALID',
      `the subgraphs do not make a supergraph:\n  ${faults.join('\n  ')}`,
      { field: 'schema', value: faults },
    );
  }
  const listed = subgraphs.map(({ name, url, folder, manifest }) => ({
    name,
    url,
    folder,
    ...(manifest ? { experiment: true } : {}),
  }));
  return {
    [supergraphPath]: `${supergraphHead(subgraphs)}${result.supergraphSdl.trim()}\n`,
    'schema/public.graphql': `# Written by \`npm run generate\`. Do not edit.\n${result.publicSdl.trim()}\n`,
    'docs/reference/refusals.md': renderRefusals(result.publicSdl),
    'schema/subgraphs.generated.yaml': `# Written by \`npm run generate\`. Do not edit.\n${stringify({ subgraphs: listed })}`,
  };
}

function violations(subgraph: FoundSubgraph, all: readonly FoundSubgraph[]): readonly string[] {
  const ruled = all.map((one) => ({ ...one, typePrefix: one.manifest?.typePrefix ?? null }));
  const others = ruled.filter(({ name }) => name !== subgraph.name);
  const candidate = { ...subgraph, typePrefix: subgraph.manifest?.typePrefix ?? null };
  const found = [...experimentRules(subgraph, all), ...checkAmongOthers(candidate, others)];
  return found.map(({ rule, message }) => `[${subgraph.name}] ${rule}: ${message}`);
}

function experimentRules(subgraph: FoundSubgraph, all: readonly FoundSubgraph[]): readonly RuleViolation[] {
  if (!subgraph.manifest) return [];
  const coreTypes = new Set(
    all.filter(({ manifest }) => !manifest).flatMap(({ sdl }) => [...definedTypes(sdl)]),
  );
  return checkExperimentSchema(subgraph.ownSdl, subgraph.manifest, coreTypes);
}
