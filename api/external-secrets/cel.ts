/**
 * The rules that the API server itself enforces, in every request and whether or not the webhook answers: CEL in
 * the CRDs. Only what its estimate of costs allows: it takes every list and every text for as long as a
 * request may be, so that a rule on the elements of a list may look at their fields, but not into their texts.
 * Words and meaning are those of the rules in policy/, which say the same with better paths.
 */

interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly reason: 'FieldValueRequired' | 'FieldValueInvalid' | 'FieldValueForbidden';
  readonly fieldPath?: string;
}

const withRules = (...rules: readonly CelRule[]) => ({ 'x-kubernetes-validations': rules });

/** On a spec. */
export const SPEC_RULES = withRules({
  rule: '(has(self.data) && size(self.data) > 0) || (has(self.dataFrom) && size(self.dataFrom) > 0)',
  message: 'either data or dataFrom should be specified; list at least one secret to fetch',
  reason: 'FieldValueRequired',
});

/** On spec.target. */
export const TARGET_RULES = withRules(
  {
    rule: "!has(self.deletionPolicy) || self.deletionPolicy != 'Delete' || !has(self.creationPolicy) || !(self.creationPolicy in ['Merge', 'None', 'CreateOrMerge'])",
    message:
      "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner",
    reason: 'FieldValueInvalid',
    fieldPath: '.deletionPolicy',
  },
  {
    rule: "!has(self.deletionPolicy) || self.deletionPolicy != 'Merge' || !has(self.creationPolicy) || self.creationPolicy != 'None'",
    message:
      'deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with',
    reason: 'FieldValueInvalid',
    fieldPath: '.deletionPolicy',
  },
);

/** On spec.target.template. */
export const TEMPLATE_RULES = withRules({
  rule: "!has(self.type) || !(self.type in ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'])",
  message: 'Secrets of this type would be credentials of the cluster itself; use another type',
  reason: 'FieldValueForbidden',
  fieldPath: '.type',
});

/** On an element of spec.dataFrom. */
export const DATA_FROM_RULES = withRules(
  {
    rule: '!has(self.extract) || !has(self.find)',
    message: 'extract, find, or generatorRef cannot be set at the same time; make one entry of each',
    reason: 'FieldValueInvalid',
  },
  {
    rule: '(!has(self.extract) && !has(self.find)) || !has(self.sourceRef) || !has(self.sourceRef.generatorRef)',
    message: 'extract, find, or generatorRef cannot be set at the same time; make one entry of each',
    reason: 'FieldValueInvalid',
  },
  {
    rule: 'has(self.extract) || has(self.find) || has(self.sourceRef)',
    message: 'either extract, find, or sourceRef must be set to dataFrom; name a secret with extract.key',
    reason: 'FieldValueRequired',
  },
);
