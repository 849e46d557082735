import { type DirectiveNode, Kind } from 'graphql';

/** Values of an operation's variables. */
export type Variables = Readonly<Record<string, unknown>>;

/** A part of a cost: constant, or a function of the request's variables. */
export type Part = number | ((variables: Variables) => number);

/** A part that counts only if `@skip` and `@include` keep it. */
export function under(
  directives: readonly DirectiveNode[] | undefined,
  part: Part,
  fallback: (variable: string) => unknown,
): Part {
  let result = part;
  for (const directive of directives ?? []) {
    const name = directive.name.value;
    if (name !== 'skip' && name !== 'include') continue;
    const value = directive.arguments?.find((argument) => argument.name.value === 'if')?.value;
    const wanted = name === 'include';
    if (value?.kind === Kind.BOOLEAN && value.value !== wanted) return 0;
    if (value?.kind !== Kind.VARIABLE || result === 0) continue;
    const inner = result;
    const variable = value.name.value;
    result = (variables) => {
      const is = Object.hasOwn(variables, variable) ? variables[variable] : fallback(variable);
      return (is === true) === wanted ? evaluate(inner, variables) : 0;
    };
  }
  return result;
}

function evaluate(part: Part, variables: Variables): number {
  return typeof part === 'number' ? part : part(variables);
}

/** Sum of parts; constant ones are added up once. */
export function sum(parts: readonly Part[]): Part {
  let known = 0;
  const open: Exclude<Part, number>[] = [];
  for (const part of parts) {
    if (typeof part === 'number') known += part;
    else open.push(part);
  }
  if (open.length === 0) return known;
  return (variables) => open.reduce((total, part) => total + part(variables), known);
}

/** A part multiplied by the number of entries of a list. */
export function times(size: Part, each: Part): Part {
  if (typeof size === 'number' && typeof each === 'number') return size * each;
  return (variables) => evaluate(size, variables) * evaluate(each, variables);
}
