import {
  type ArgumentNode,
  type OperationDefinitionNode,
  print,
  type VariableDefinitionNode,
  visit,
  type ASTNode,
} from 'graphql';
import type { FetchNode, PathSegment, RequiresNode, Rewrite, RewriteSegment } from '../plan-format.js';
import type { Vertex } from './vertex.js';

/** A field of a subgraph's operation under construction. */
interface BuiltField {
  readonly name: string;
  readonly args: readonly ArgumentNode[];
  /** See `shapeIn`. */
  readonly shape: string | undefined;
  readonly child: SelectionBuilder | undefined;
}

/** Collects facts while the text is printed. */
interface Printing {
  /** Called with every argument. */
  collectArguments(node: ASTNode): void;
  /** Renames of response keys that were necessary. */
  readonly renames: Rewrite[];
}

/** Selections of one object in a subgraph's operation under construction. */
export class SelectionBuilder {
  asksTypename = false;
  readonly #fields = new Map<string, BuiltField>();
  readonly #types = new Map<string, SelectionBuilder>();

  /** Adds a field; returns the builder of the selections below it. */
  field(
    key: string,
    name: string,
    args: readonly ArgumentNode[],
    { isLeaf, shape }: { readonly isLeaf: boolean; readonly shape: string | undefined },
  ): SelectionBuilder | undefined {
    let field = this.#fields.get(key);
    if (!field) {
      field = { name, args, shape, child: isLeaf ? undefined : new SelectionBuilder() };
      this.#fields.set(key, field);
    }
    return field.child;
  }

  /** Selections for one concrete type. */
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

  /** The text, including braces. */
  print(printing: Printing): string {
    return this.#print(printing, [], [this.#fields]);
  }

  /** `others`: the fields of other types that must not conflict with these. */
  #print(
    printing: Printing,
    path: readonly RewriteSegment[],
    others: readonly ReadonlyMap<string, BuiltField>[],
  ): string {
    const parts: string[] = [];
    for (const [key, field] of this.#fields) {
      field.args.forEach((argument) => printing.collectArguments(argument));
      const clashes = others.some((fields) => {
        const other = fields.get(key);
        return other !== undefined && other !== field && clash(other, field);
      });
      const printed = clashes ? `_rhz_${printing.renames.length}_${key}` : key;
      if (clashes) {
        printing.renames.push({ KeyRenamer: { path: [...path, { Key: printed }], renameKeyTo: key } });
      }
      const alias = printed === field.name ? '' : `${printed}: `;
      const list =
        field.args.length > 0 ? `(${field.args.map((argument) => print(argument)).join(', ')})` : '';
      const child = field.child
        ? field.child.#print(printing, [...path, { Key: key }], [field.child.#fields])
        : '';
      parts.push(`${alias}${field.name}${list}${child}`);
    }
    const before = [...others];
    for (const [name, builder] of this.#types) {
      if (builder.isEmpty && !builder.asksTypename) continue;
      parts.push(`...on ${name}${builder.#print(printing, [...path, { TypenameEquals: [name] }], before)}`);
      before.push(builder.#fields);
    }
    if (this.asksTypename || parts.length === 0) parts.unshift('__typename');
    return `{${parts.join(' ')}}`;
  }

  /** All fields of a key in the selections of an object, whatever its type. */
  static clashes(one: SelectionBuilder, other: SelectionBuilder): boolean {
    const all = (builder: SelectionBuilder): [string, BuiltField][] => [
      ...builder.#fields,
      ...[...builder.#types.values()].flatMap(all),
    ];
    const others = all(other);
    return all(one).some(([key, field]) =>
      others.some(([otherKey, otherField]) => key === otherKey && clash(field, otherField)),
    );
  }
}

/** True if two fields may not share a key in an operation although no object has both. */
function clash(one: BuiltField, other: BuiltField): boolean {
  if (one.shape !== other.shape) return true;
  return (
    one.child !== undefined && other.child !== undefined && SelectionBuilder.clashes(one.child, other.child)
  );
}

/** One fetch under construction. */
export interface Group {
  readonly vertex: Vertex;
  readonly builder: SelectionBuilder;
  /** Path of its objects; undefined for roots. */
  readonly path: readonly PathSegment[] | undefined;
  readonly requires: readonly RequiresNode[];
  readonly inputRewrites: readonly Rewrite[];
  readonly needs: ReadonlySet<Group>;
  /** True if it selects root fields, possibly at a path below the root. */
  readonly isRoot: boolean;
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
  const renames: Rewrite[] = [];
  const body = group.builder.print({ collectArguments: note, renames });
  const variables = (operation.variableDefinitions ?? []).filter(({ variable }) =>
    used.has(variable.name.value),
  );
  const base = {
    kind: 'Fetch' as const,
    serviceName,
    ...(renames.length > 0 ? { outputRewrites: renames } : {}),
    variableUsages: variables.map(({ variable }) => variable.name.value),
  };
  if (!group.path || group.isRoot) {
    const kind = group.path ? 'query' : operation.operation;
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
