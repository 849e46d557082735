/** Outputs of the nodes of one call. */
import type { FileSources } from './node-files.js';
import { type GivenNodes, jobOf } from './workflow-input.js';

/** Looks up what these nodes store. */
export function sourcesIn(nodes: GivenNodes['nodes'], labels: GivenNodes['labels']): FileSources {
  const outputsOf = (node: (typeof nodes)[number]): readonly string[] =>
    jobOf(node, labels)?.payload.outputs ?? [];
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
