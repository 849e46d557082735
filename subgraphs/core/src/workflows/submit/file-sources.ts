/** Outputs of the nodes of one call. */
import type { FileSources } from './node-files.js';
import { type GivenNodes, jobOf } from './workflow-input.js';
import type { TemplateSpec } from './workflow-spec.types.js';

/** Looks up what these nodes store, those with sub-graphs by the outputs of their templates. */
export function sourcesIn(
  nodes: GivenNodes['nodes'],
  labels: GivenNodes['labels'],
  templates: readonly TemplateSpec[] = [],
): FileSources {
  const outputsOf = ({ subgraph, ...node }: (typeof nodes)[number]): readonly string[] => {
    if (subgraph == null) return jobOf(node, labels)?.payload.outputs ?? [];
    const outputs = templates.find(({ name }) => name === subgraph.template)?.outputs ?? [];
    return outputs.map(({ output }) => output);
  };
  let byLabel: Map<string, Set<string>> | undefined;
  const outputsByLabel = (): Map<string, Set<string>> => {
    const all = new Map<string, Set<string>>();
    for (const node of nodes) {
      if (node.label == null || node.isFinal === true) continue;
      const known = all.get(node.label) ?? new Set();
      all.set(node.label, known);
      for (const output of outputsOf(node)) known.add(output);
    }
    return all;
  };
  return {
    outputsOf: async (names) => {
      const wanted = new Set(names);
      return new Map(
        nodes.filter(({ name }) => wanted.has(name)).map((node) => [node.name, outputsOf(node)]),
      );
    },
    hasOutput: async (label, output) => (byLabel ??= outputsByLabel()).get(label)?.has(output) ?? false,
  };
}
