// The direction of imports between the folders of core, as zones of `import-x/no-restricted-paths`.

/** From the top to the bottom: a folder imports from folders of lower levels only. */
const levels = [
  ['diagnosis'],
  ['events', 'files', 'hardware', 'pilots'],
  ['workers'],
  ['scheduler'],
  ['fleets'],
  ['tasks', 'units', 'workflows'],
  ['datasets', 'policies'],
  ['jobs'],
  ['queues', 'shares', 'experiments', 'access', 'consents', 'secrets', 'storages'],
  ['gpus'],
  ['shared'],
];

const source = 'subgraphs/core/src';
const direction = ['composition', '*/graphql', ...levels.map((folders) => folders.join(', '))].join(' → ');

/** Modules that no domain may import: those that know all domains. */
const roots = [`${source}/*.ts`, `${source}/composition/**`];

/** Files of a folder without its GraphQL layer. */
const domain = (folder) => `${source}/${folder}/!(graphql)/**`;
const topFiles = (folder) => `${source}/${folder}/*.ts`;

/** One zone per domain, and one for the GraphQL layers. */
export const coreZones = [
  ...levels.flatMap((folders, level) => {
    const above = levels.slice(0, level).flat();
    return folders.map((folder) => {
      const others = [...above, ...folders.filter((other) => other !== folder)];
      const below = levels.slice(level + 1).flat();
      const allowed = below.length === 0 ? 'nothing of core' : below.join(', ');
      return {
        target: [domain(folder), topFiles(folder)],
        from: [...roots, `${source}/*/graphql/**`, ...others.map((other) => `${source}/${other}/**`)],
        message:
          `${folder} may import ${allowed}. Move the type or rule down to the domain that owns it, ` +
          `or take a port that composition/ provides. Direction: ${direction}.`,
      };
    });
  }),
  {
    target: [`${source}/*/graphql/**`],
    from: [`${source}/{app,bin,config,index,migrations}.ts`, `${source}/composition/**`],
    message: `Resolvers find services in their Context: declare the service in context.ts. Direction: ${direction}.`,
  },
];
