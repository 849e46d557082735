/**
 * Finds the subgraphs of this repository: core ones under `subgraphs/`, experiments by their
 * `experiment.yaml`.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError } from '@rhizome/errors';
import { Kind, parse } from 'graphql';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { joinOperations } from './agent-operations/read.js';

/** Form of the name of an experiment. */
export const experimentName = /^[a-z][a-z0-9]{1,30}$/;

/** Manifest of an experiment, `experiment.yaml`. */
export const manifestSchema = z.strictObject({
  /** Lower-case name: the folder, the subgraph, and the one field under which its additions sit. */
  name: z.string().regex(experimentName, 'lower-case letters and digits, beginning with a letter'),
  /** Name for people. */
  title: z.string().min(1),
  /** The prefix of every type, input and enum it defines. */
  typePrefix: z.string().regex(/^[A-Z][A-Za-z0-9]*$/, 'PascalCase'),
  /** Contact of the owner. */
  owners: z.array(z.string().min(1)).min(1),
  /** Its own database. */
  database: z.string().regex(/^[A-Za-z0-9_]{1,38}$/, 'letters, digits and `_`'),
  /** Where its subgraph is reached over HTTP unless the deployment says otherwise. */
  endpoint: z.url(),
  /** The extension points it uses. */
  capabilities: z.array(z.enum(['jobDetails', 'queries', 'mutations', 'subscriptions', 'eventFollower'])),
  /** True for the experiment that `rhizome experiment new` copies; one in the repository is. */
  scaffold: z.boolean().optional(),
});

/** An experiment's manifest. */
export type ExperimentManifest = z.infer<typeof manifestSchema>;

/** A subgraph found in the repository. */
export interface FoundSubgraph {
  readonly name: string;
  readonly url: string;
  /** Path of its folder, relative to the root. */
  readonly folder: string;
  /** Shared definitions and its own, as one text. */
  readonly sdl: string;
  /** The SDL of its own, without the shared definitions. */
  readonly ownSdl: string;
  /** Files of the operations that agents get as tools, as one text. */
  readonly agentOperations: string;
  /** Present for experiments. */
  readonly manifest?: ExperimentManifest;
}

/** Where core subgraphs are reached over HTTP unless the deployment says otherwise. */
const coreUrl = 'http://127.0.0.1:4001/graphql';

/**
 * All subgraphs of the repository at `root`, core ones first, each group by name. Throws CONFIG_INVALID for a
 * manifest with faults.
 */
export function discoverSubgraphs(root: string): readonly FoundSubgraph[] {
  const shared = readFileSync(join(root, 'schema', 'shared.graphql'), 'utf8');
  const core = folders(root, 'subgraphs').map((folder) =>
    found(root, folder, shared, { name: folder.split('/')[1] ?? '', url: coreUrl }),
  );
  const experiments = folders(root, 'experiments')
    .filter((folder) => existsSync(join(root, folder, 'experiment.yaml')))
    .map((folder) => {
      const manifest = readManifest(join(root, folder, 'experiment.yaml'));
      return found(root, folder, shared, { name: manifest.name, url: manifest.endpoint, manifest });
    });
  return [...core, ...experiments].filter(({ ownSdl }) => ownSdl.trim() !== '');
}

/** The name under which the gateway's own fields are in the graph. */
export const gatewayName = 'gateway';

/** The address of a subgraph that a gateway answers itself. */
export const inProcessUrl = (name: string): string => `in-process:${name}`;

/**
 * Fields that the gateway adds to the graph itself: the state of its subgraphs and the history of the schema.
 */
export function gatewaySubgraph(root: string): FoundSubgraph {
  const shared = readFileSync(join(root, 'schema', 'shared.graphql'), 'utf8');
  return found(root, 'gateway', shared, { name: gatewayName, url: inProcessUrl(gatewayName) });
}

/** Reads and validates a manifest; reports all errors together. */
export function readManifest(path: string): ExperimentManifest {
  const result = manifestSchema.safeParse(parseYaml(readFileSync(path, 'utf8')));
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`);
  throw new DomainError('CONFIG_INVALID', `${path} has faults: ${faults.join('; ')}`, {
    field: path,
    value: faults,
  });
}

function folders(root: string, group: string): readonly string[] {
  if (!existsSync(join(root, group))) return [];
  return readdirSync(join(root, group), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, group, entry.name, 'src')))
    .map((entry) => `${group}/${entry.name}`)
    .sort();
}

function found(
  root: string,
  folder: string,
  shared: string,
  identity: { name: string; url: string; manifest?: ExperimentManifest },
): FoundSubgraph {
  const files = readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.graphql'))
    .sort();
  const texts = files
    .map((file) => readFileSync(join(root, folder, 'src', file), 'utf8'))
    .filter(isTypeSystem);
  const ownSdl = texts.join('\n');
  const agentOperations = joinOperations(operationFiles(join(root, folder)));
  return { ...identity, folder, ownSdl, sdl: `${shared}\n${ownSdl}`, agentOperations };
}

/** Texts of the files in `agent/` of a package. */
function operationFiles(folder: string): readonly string[] {
  const agent = join(folder, 'agent');
  if (!existsSync(agent)) return [];
  const files = readdirSync(agent).filter((file) => file.endsWith('.graphql'));
  return files.map((file) => readFileSync(join(agent, file), 'utf8'));
}

function isTypeSystem(text: string): boolean {
  return parse(text).definitions.every(
    ({ kind }) => kind !== Kind.OPERATION_DEFINITION && kind !== Kind.FRAGMENT_DEFINITION,
  );
}
