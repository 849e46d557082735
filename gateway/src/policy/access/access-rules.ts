/** Rules of `@authenticated`, `@requiresScopes` and `@policy` in a supergraph, by field. */
import {
  type ConstDirectiveNode,
  type ConstValueNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type InterfaceTypeDefinitionNode,
  isTypeDefinitionNode,
  Kind,
  type NamedTypeNode,
  type ObjectTypeDefinitionNode,
  parse,
  type SelectionSetNode,
  type TypeNode,
} from 'graphql';

/** Conditions of a field, all of which a caller must meet. */
export interface AccessRule {
  /** The caller needs a token. */
  readonly authenticated: boolean;
  /** Each entry holds alternatives, of which one must be held whole. */
  readonly scopes: readonly ScopeRule[];
  /** As scopes, with names of policies. */
  readonly policies: readonly (readonly (readonly string[])[])[];
}

/** Alternatives of scopes, and the experiments in which they must be held; none: in all experiments. */
export interface ScopeRule {
  readonly alternatives: readonly (readonly string[])[];
  readonly experiments: readonly string[];
}

/** Rules by `Type.field`; a field without one is open. `Type.__typename` stands for the type itself. */
export type AccessRules = ReadonlyMap<string, AccessRule>;

type Composite = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;

const open: AccessRule = { authenticated: false, scopes: [], policies: [] };

/**
 * Reads the rules of a supergraph. A field has the rules of its own directives, of its type and its result
 * type, and of the fields that it needs by `@requires`; a field of an interface has those of all
 * implementations as well.
 *
 * @param experimentOf the experiment that a subgraph belongs to; undefined for subgraphs of the deployment
 */
export function readAccessRules(
  supergraphSdl: string,
  experimentOf: (subgraph: string) => string | undefined,
): AccessRules {
  if (!/@(authenticated|requiresScopes|policy)\b/.test(supergraphSdl)) return new Map();
  return new RuleReader(parse(supergraphSdl, { noLocation: true }), experimentOf).read();
}

/** The supergraph without the demand that an engine itself enforces the directives. */
export function withoutAccessDemand(supergraphSdl: string): string {
  return supergraphSdl.replace(
    /(@link\(\s*url:\s*"[^"]*\/(?:authenticated|requiresScopes|policy)\/v[^"]*"[^)]*?),?\s*for:\s*SECURITY/g,
    '$1',
  );
}

class RuleReader {
  readonly #types = new Map<string, Composite>();
  readonly #ofType = new Map<string, AccessRule>();
  readonly #graphs = new Map<string, string>();
  readonly #experimentOf: (subgraph: string) => string | undefined;
  readonly #rules = new Map<string, AccessRule>();

  constructor(document: DocumentNode, experimentOf: (subgraph: string) => string | undefined) {
    this.#experimentOf = experimentOf;
    for (const node of document.definitions) {
      if (node.kind === Kind.ENUM_TYPE_DEFINITION && node.name.value === 'join__Graph') {
        for (const value of node.values ?? []) {
          const graph = value.directives?.find((one) => one.name.value === 'join__graph');
          this.#graphs.set(value.name.value, graph ? (text(graph, 'name') ?? '') : '');
        }
      } else if (node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION)
        this.#types.set(node.name.value, node);
    }
    for (const node of document.definitions) {
      if (!isTypeDefinitionNode(node)) continue;
      const { directives = [] } = node;
      this.#ofType.set(node.name.value, this.#ownRule(directives, this.#graphsOf(directives)));
    }
  }

  read(): AccessRules {
    for (const type of this.#types.values()) {
      this.#set(`${type.name.value}.__typename`, this.#typeRule(type.name.value));
      for (const field of type.fields ?? [])
        this.#set(`${type.name.value}.${field.name.value}`, this.#fieldRule(type, field, new Set()));
    }
    return this.#rules;
  }

  #set(coordinate: string, rule: AccessRule): void {
    if (rule.authenticated || rule.scopes.length > 0 || rule.policies.length > 0)
      this.#rules.set(coordinate, rule);
  }

  #typeRule(name: string): AccessRule {
    return this.#ofType.get(name) ?? open;
  }

  #fieldRule(type: Composite, field: FieldDefinitionNode, seen: Set<string>): AccessRule {
    const coordinate = `${type.name.value}.${field.name.value}`;
    if (seen.has(coordinate)) return open;
    seen.add(coordinate);
    const graphs = this.#graphsOf(field.directives, this.#graphsOf(type.directives));
    const rules = [
      this.#ownRule(field.directives ?? [], graphs),
      this.#typeRule(type.name.value),
      this.#typeRule(namedType(field.type)),
      ...this.#required(type, field, seen),
    ];
    if (type.kind === Kind.INTERFACE_TYPE_DEFINITION) {
      for (const other of this.#types.values()) {
        if (!implementsInterface(other, type.name.value)) continue;
        const own = other.fields?.find((one) => one.name.value === field.name.value);
        if (own) rules.push(this.#fieldRule(other, own, seen));
      }
    }
    return joined(rules);
  }

  /** Rules of the fields that the subgraph reads for this one. */
  #required(type: Composite, { directives = [] }: FieldDefinitionNode, seen: Set<string>): AccessRule[] {
    const found: AccessRule[] = [];
    for (const directive of directives) {
      if (directive.name.value !== 'join__field') continue;
      const requires = text(directive, 'requires');
      if (requires === undefined) continue;
      const document = parse(`{ ${requires} }`, { noLocation: true });
      const [operation] = document.definitions;
      if (operation?.kind === Kind.OPERATION_DEFINITION)
        this.#selected(type.name.value, operation.selectionSet, seen, found);
    }
    return found;
  }

  #selected(name: string, { selections }: SelectionSetNode, seen: Set<string>, found: AccessRule[]): void {
    const type = this.#types.get(name);
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value ?? name;
        found.push(this.#typeRule(condition));
        this.#selected(condition, selection.selectionSet, seen, found);
      } else if (selection.kind === Kind.FIELD) {
        const field = type?.fields?.find((one) => one.name.value === selection.name.value);
        if (!type || !field) continue;
        found.push(this.#fieldRule(type, field, seen));
        if (selection.selectionSet)
          this.#selected(namedType(field.type), selection.selectionSet, seen, found);
      }
    }
  }

  #ownRule(directives: readonly ConstDirectiveNode[], graphs: readonly string[]): AccessRule {
    const experiments = graphs.flatMap((graph) => this.#experimentOf(graph) ?? []);
    const scopes: ScopeRule[] = [];
    const policies: (readonly (readonly string[])[])[] = [];
    let authenticated = false;
    for (const directive of directives) {
      const { value: name } = directive.name;
      if (name === 'authenticated') authenticated = true;
      if (name === 'requiresScopes') scopes.push({ alternatives: lists(directive, 'scopes'), experiments });
      if (name === 'policy') policies.push(lists(directive, 'policies'));
    }
    return { authenticated: authenticated || scopes.length > 0, scopes, policies };
  }

  /** Names of the subgraphs in which an element is declared. */
  #graphsOf(
    directives: readonly ConstDirectiveNode[] = [],
    otherwise: readonly string[] = [],
  ): readonly string[] {
    const found = directives.flatMap((directive) => {
      if (!['join__field', 'join__type'].includes(directive.name.value)) return [];
      return this.#graphs.get(text(directive, 'graph') ?? '') ?? [];
    });
    return found.length > 0 ? [...new Set(found)] : otherwise;
  }
}

function joined(rules: readonly AccessRule[]): AccessRule {
  return {
    authenticated: rules.some((rule) => rule.authenticated),
    scopes: rules.flatMap((rule) => rule.scopes),
    policies: rules.flatMap((rule) => rule.policies),
  };
}

function implementsInterface({ interfaces = [] }: Composite, name: string): boolean {
  return interfaces.some((one: NamedTypeNode) => one.name.value === name);
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}

function text(directive: ConstDirectiveNode, name: string): string | undefined {
  const value = directive.arguments?.find((one) => one.name.value === name)?.value;
  return value?.kind === Kind.STRING || value?.kind === Kind.ENUM ? value.value : undefined;
}

function lists(directive: ConstDirectiveNode, name: string): readonly (readonly string[])[] {
  const value = directive.arguments?.find((one) => one.name.value === name)?.value;
  return items(value).map((one) =>
    items(one).flatMap((item) => (item.kind === Kind.STRING ? item.value : [])),
  );
}

function items(value: ConstValueNode | undefined): readonly ConstValueNode[] {
  return value?.kind === Kind.LIST ? value.values : [];
}
