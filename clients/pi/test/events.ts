/** Upstream's event streams for the simulator, where its own answers do not do. */

function stream(...items: Record<string, unknown>[]) {
  const events = [
    { type: "response.created", response: { id: "resp_1", status: "in_progress" } },
    ...items.flatMap((item, output_index) => [
      { type: "response.output_item.added", output_index, item: { ...item, ...begun(item) } },
      ...deltas(item, output_index),
      { type: "response.output_item.done", output_index, item },
    ]),
    {
      type: "response.completed",
      response: {
        id: "resp_1",
        status: "completed",
        output: items,
        usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15 },
      },
    },
  ];
  return { stream: { spoken: { events: events.map((event) => JSON.stringify(event)) } } };
}

function begun(item: Record<string, unknown>) {
  return item.type === "reasoning" ? { summary: [] } : { arguments: "" };
}

function deltas(item: Record<string, unknown>, output_index: number) {
  if (item.type !== "reasoning") {
    return [
      {
        type: "response.function_call_arguments.delta",
        output_index,
        item_id: item.id,
        delta: item.arguments,
      },
    ];
  }
  const [part] = item.summary as { text: string }[];
  const at = { output_index, item_id: item.id, summary_index: 0 };
  return [
    { type: "response.reasoning_summary_part.added", ...at, part: { type: "summary_text", text: "" } },
    { type: "response.reasoning_summary_text.delta", ...at, delta: part?.text },
    { type: "response.reasoning_summary_text.done", ...at, text: part?.text },
    { type: "response.reasoning_summary_part.done", ...at, part },
  ];
}

/** Thinks, then calls pi's tool `read`. */
export function thinksAndReads(thought: string, path: string) {
  return stream(
    {
      type: "reasoning",
      id: "rs_1",
      summary: [{ type: "summary_text", text: thought }],
      encrypted_content: "sealed",
    },
    {
      type: "function_call",
      id: "fc_1",
      call_id: "call_1",
      name: "read",
      arguments: JSON.stringify({ path }),
    },
  );
}
