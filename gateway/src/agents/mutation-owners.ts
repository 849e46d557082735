/** The subgraphs that answer the mutations of a supergraph. */
import { type ConstDirectiveNode, Kind, parse } from 'graphql';

/** Names of the subgraphs that declare a mutation, by its name. */
export type MutationOwners = ReadonlyMap<string, readonly string[]>;

/** Reads the owners of all mutations. */
export function readMutationOwners(supergraphSdl: string): MutationOwners {
  const { definitions } = parse(supergraphSdl, { noLocation: true });
  const names = new Map<string, string>();
  for (const node of definitions) {
    if (node.kind !== Kind.ENUM_TYPE_DEFINITION || node.name.value !== 'join__Graph') continue;
    for (const { name, directives } of node.values ?? [])
      names.set(name.value, argumentOf(directives, 'join__graph', 'name')[0] ?? name.value);
  }
  const declared = (directives: readonly ConstDirectiveNode[] | undefined, directive: string) =>
    argumentOf(directives, directive, 'graph').map((graph) => names.get(graph) ?? graph);
  const owners = new Map<string, readonly string[]>();
  for (const node of definitions) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION || node.name.value !== 'Mutation') continue;
    const ofType = declared(node.directives, 'join__type');
    for (const { name, directives } of node.fields ?? []) {
      const own = declared(directives, 'join__field');
      owners.set(name.value, own.length > 0 ? own : ofType);
    }
  }
  return owners;
}

/** Values of an argument of all directives with a name. */
function argumentOf(
  directives: readonly ConstDirectiveNode[] | undefined,
  directive: string,
  argument: string,
): readonly string[] {
  return (directives ?? [])
    .filter(({ name }) => name.value === directive)
    .flatMap((node) => node.arguments?.find(({ name }) => name.value === argument)?.value ?? [])
    .flatMap((value) => (value.kind === Kind.STRING || value.kind === Kind.ENUM ? [value.value] : []));
}
