import {
  type ArgumentNode,
  type OperationDefinitionNode,
  print,
  type VariableDefinitionNode,
  visit,
  type ASTNode,
} from 'graphql';
import type { FetchNode, PathSegment, RequiresNode, Rewrite } from '../plan-format.js';
import type { Vertex } from './vertex.js';

/** The selections of one object in a subgraph's operation, while they are gathered. */
export class SelectionBuilder {
  asksTypename = false;
  readonly #fields = new Map<
    string,
    { name: string; args: readonly ArgumentNode[]; child: SelectionBuilder | undefined }
  >();
  readonly #types = new Map<string, SelectionBuilder>();

  /** Adds a field; answers the builder of what is selected below it. */
  field(
    key: string,
    name: string,
    args: readonly ArgumentNode[],
    isLeaf: boolean,
  ): SelectionBuilder | undefined {
    let field = this.#fields.get(key);
    if (!field) {
      field = { name, args, child: isLeaf ? undefined : new SelectionBuilder() };
      this.#fields.set(key, field);
    }
    return field.child;
  }

  /** The selections for one concrete type. */
  onType(name: string): SelectionBuilder {
    let builder = this.#types.get(name);
    if (!builder) {
      builder = new SelectionBuilder();
      this.#types.set(name, builder);
    }
    return builder;
  }

  get isEmpty(): boolean {
    return this.#fields.size === 0 && [...this.#types.values()].every((type) => type.isEmpty);
  }

  /** As text, braces included; `note` is told every argument. */
  print(note: (node: ASTNode) => void): string {
    const parts: string[] = [];
    for (const [key, { name, args, child }] of this.#fields) {
      args.forEach(note);
      const alias = key === name ? '' : `${key}: `;
      const list = args.length > 0 ? `(${args.map(print).join(', ')})` : '';
      parts.push(`${alias}${name}${list}${child ? child.print(note) : ''}`);
    }
    for (const [name, builder] of this.#types) {
      if (!builder.isEmpty || builder.asksTypename) parts.push(`...on ${name}${builder.print(note)}`);
    }
    if (this.asksTypename || parts.length === 0) parts.unshift('__typename');
    return `{${parts.join(' ')}}`;
  }
}

/** One fetch, while it is gathered. */
export interface Group {
  readonly vertex: Vertex;
  readonly builder: SelectionBuilder;
  /** Where its objects stand; undefined for roots. */
  readonly path: readonly PathSegment[] | undefined;
  readonly requires: readonly RequiresNode[];
  readonly inputRewrites: readonly Rewrite[];
  readonly needs: ReadonlySet<Group>;
}

/** The fetch node of a group. */
export function toFetch(group: Group, operation: OperationDefinitionNode, serviceName: string): FetchNode {
  const used = new Set<string>();
  const note = (node: ASTNode): void => {
    visit(node, {
      Variable({ name }) {
        used.add(name.value);
      },
    });
  };
  const body = group.builder.print(note);
  const variables = (operation.variableDefinitions ?? []).filter(({ variable }) =>
    used.has(variable.name.value),
  );
  const base = {
    kind: 'Fetch' as const,
    serviceName,
    variableUsages: variables.map(({ variable }) => variable.name.value),
  };
  if (!group.path) {
    const kind = operation.operation;
    const head = variables.length > 0 ? `${kind}${declarations(variables)}` : kind;
    return { ...base, operationKind: kind, operation: `${head}${body}` };
  }
  const head = `query($representations: [_Any!]!${variables.map((node) => `, ${print(node)}`).join('')})`;
  return {
    ...base,
    operationKind: 'query',
    operation: `${head}{_entities(representations: $representations)${body}}`,
    requires: group.requires,
    ...(group.inputRewrites.length > 0 ? { inputRewrites: group.inputRewrites } : {}),
  };
}

function declarations(variables: readonly VariableDefinitionNode[]): string {
  return `(${variables.map(print).join(', ')})`;
}
