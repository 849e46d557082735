/** Locations of inputs in templates, whose parameters are not known yet. Pure. */

const parameter = /\{\{.*?\}\}/s;

/** Returns a function that is true for each location that one of the templates may become. */
export function templateMatcher(templates: readonly string[]): (location: string) => boolean {
  const exact = new Set<string>();
  const open: (readonly string[])[] = [];
  for (const template of templates) {
    const literals = template.split(parameter);
    if (literals.length === 1) exact.add(template);
    else open.push(literals);
  }
  return (location) => exact.has(location) || open.some((literals) => fits(location, literals));
}

/** True if the text has the literals in order, the first at its beginning and the last at its end. */
function fits(text: string, literals: readonly string[]): boolean {
  const first = literals[0] ?? '';
  const last = literals.at(-1) ?? '';
  if (text.length < first.length + last.length) return false;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const literal of literals.slice(1, -1)) {
    const found = text.indexOf(literal, at);
    if (found < 0 || found + literal.length > end) return false;
    at = found + literal.length;
  }
  return true;
}
