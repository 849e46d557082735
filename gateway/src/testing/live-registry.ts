import { expect } from '@jest/globals';
import { endpointOf, type RegistrySystem, startRegistrySystem } from './registry-system.js';

/** A core subgraph of one type. */
export const coreSdl = `
  "A job." type Job @key(fields: "id") { "Its id." id: ID! "Its name." name: String "Its size." size: Int }
  type Query { "Jobs." jobs: [Job!] }
`;
/** Schema of an experiment, with the given further fields. */
export const sdlOf = (name: string, fields = ''): string => {
  const prefix = prefixOf(name);
  return `
    type Job @key(fields: "id") { id: ID! "What ${name} knows." ${name}: ${prefix}Job }
    "What ${name} knows." type ${prefix}Job { "A nest." nest: String ${fields} }
  `;
};
/** Type prefix of an experiment. */
export const prefixOf = (name: string): string => `${name[0]?.toUpperCase()}${name.slice(1)}`;

/** Registers a subgraph. */
export const register = `mutation ($input: RegisterSubgraphInput!) {
  registerSubgraph(input: $input) { subgraph { name isLive state schemaVersion } userErrors { code path message } }
}`;
/** Publishes its schema and selects the whole payload. */
export const publish = `mutation ($input: PublishSchemaInput!) {
  publishSchema(input: $input) {
    version { number kind subgraphName publishedBy { subject } note isBreakingAccepted changes { severity coordinate } }
    check { hasPassed againstVersion publishedAs findings { rule coordinate message remedy } changes { severity coordinate use { requests isUnused } } }
    userErrors { code path message }
  }
}`;
/** Rolls back to an earlier schema. */
export const rollback = `mutation ($input: RollbackSchemaInput!) {
  rollbackSchema(input: $input) { version { number kind subgraphName restoredFrom } userErrors { code message } }
}`;

/** Withdraws a subgraph. */
export const withdraw = `mutation ($input: WithdrawSubgraphInput!) {
  withdrawSubgraph(input: $input) {
    version { number kind subgraphName publishedBy { subject } note isBreakingAccepted subgraphs { name } changes { severity coordinate } }
    check { subgraphName hasPassed againstVersion publishedAs findings { rule coordinate message } }
    isUnregistered
    userErrors { code path message }
  }
}`;

/** A test system in which core is live, and experiments are registered and live with their first schema. */
export async function liveSystem(
  experiments: readonly string[],
  options: Parameters<typeof startRegistrySystem>[0] = {},
): Promise<RegistrySystem> {
  const system = await startRegistrySystem(options);
  await bring(system, 'core', coreSdl, null);
  for (const name of experiments) await bring(system, name, sdlOf(name), prefixOf(name));
  return system;
}

/** Registers a subgraph and publishes its first schema. */
export async function bring(
  system: RegistrySystem,
  name: string,
  sdl: string,
  typePrefix: string | null,
): Promise<void> {
  const registered = await system.ask(register, { input: { name, endpoint: endpointOf(name), typePrefix } });
  expect(registered.data?.registerSubgraph.userErrors ?? registered.messages).toEqual([]);
  system.serve(endpointOf(name), sdl);
  const published = await system.ask(publish, { input: { subgraph: name } });
  expect(published.data?.publishSchema.userErrors ?? published.messages).toEqual([]);
}

/** Number of the live version. */
export const live = async (system: RegistrySystem): Promise<number> =>
  (await system.ask('{ schemaVersion { number } }')).data.schemaVersion.number as number;
