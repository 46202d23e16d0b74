-- Health of a TogetherEndpoint for Argo CD, from its conditions.
--
-- Plain Lua 5.1 without the string and math libraries, which Argo CD does not open for scripts in
-- argocd-cm. A stop that the resource asks for is Healthy: waves and syncs wait for ever on
-- Suspended, which is kept for `spec.suspend`. What the operator retries by itself is Progressing,
-- never Degraded: Degraded ends a sync as failed. Argo CD itself calls a resource that is being
-- deleted Progressing and does not ask this script.
local health = { status = "Progressing", message = "Waiting for the operator to observe this generation" }

local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is_true(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

local function report(status, condition, default)
  health.status = status
  health.message = default
  if condition ~= nil then
    health.message = condition.reason or default
    if condition.message ~= nil and condition.message ~= "" then
      health.message = health.message .. ": " .. condition.message
    end
  end
  return health
end

if is_true("Stalled") then
  return report("Degraded", conditions["Stalled"], "Stalled")
end
if is_true("Reconciling") then
  return report("Progressing", conditions["Reconciling"], "Reconciling")
end
if obj.spec ~= nil and obj.spec.suspend == true then
  return report("Suspended", nil, "Suspended: the operator observes this endpoint and does not act on it")
end
if is_true("Ready") then
  return report("Healthy", conditions["Ready"], "Ready")
end
return report("Progressing", conditions["Ready"], "Not ready")
