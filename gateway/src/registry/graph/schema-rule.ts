import type { SchemaRule } from '../../types.generated.js';

/** Former names of rules, in checks that were stored before they got others. */
const formerNames: Readonly<Record<string, SchemaRule>> = { 'shared-words': 'SHARED_DEFINITION' };

/** The enum value of a rule of a stored check. */
export function schemaRule(rule: string): SchemaRule {
  return formerNames[rule] ?? (rule.toUpperCase().replaceAll('-', '_') as SchemaRule);
}
