// What `render` asked for, drawn from a query's rows.
import { useEffect, useRef } from "react";
import type { EChartsType } from "echarts/core";
import type { QueryTable } from "./api";
import { chartOf, type Render } from "./chart";
import { severities } from "./model";

/** What is named as a severity has its colour; anything else the next of these. */
const ownColour = (name: string): string | null => ((severities as readonly string[]).includes(name) ? `--${name.toLowerCase()}` : null);
/** Severities are stacked with the worst on top. */
function inOrder<One extends { name: string }>(series: readonly One[]): One[] {
  const rank = (one: One) => (severities as readonly string[]).indexOf(one.name);
  return series.every((one) => rank(one) >= 0) ? [...series].sort((a, b) => rank(b) - rank(a)) : [...series];
}
const colours = ["--accent", "--informational", "--medium", "--high", "--low", "--good", "--quiet"];

export function QueryChart({ table, render }: { table: QueryTable; render: Render }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = chartOf(table, render);
  useEffect(() => {
    if (chart === null || !place.current) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    let drawn: EChartsType | null = null;
    let gone = false;
    const target = place.current;
    const resize = new ResizeObserver(() => drawn?.resize());
    void import("./chart_library").then(({ createChart }) => {
      if (gone) return;
      drawn = createChart(target);
      const text = { color: colour("--quiet") };
      const axis = { axisLabel: text, axisLine: { lineStyle: { color: colour("--line") } }, splitLine: { lineStyle: { color: colour("--line") } } };
      const along = chart.time ? { ...axis, type: "time" as const } : { ...axis, type: "category" as const, data: chart.categories };
      const values = { ...axis, type: "value" as const };
      drawn.setOption({
        animation: false,
        color: colours.map(colour),
        textStyle: { fontFamily: "inherit" },
        title: chart.title === "" ? undefined : { text: chart.title, textStyle: { color: colour("--ink"), fontSize: 14 } },
        legend: { top: 0, right: 0, type: "scroll", textStyle: text, itemWidth: 10, itemHeight: 10 },
        tooltip: { trigger: chart.kind === "pie" ? "item" : "axis", renderMode: "richText", backgroundColor: colour("--surface"), borderColor: colour("--line"), textStyle: { color: colour("--ink") } },
        ...(chart.kind === "pie" ? {} : {
          grid: { left: 8, right: 16, top: 34, bottom: 4, containLabel: true },
          xAxis: chart.lying ? values : along,
          yAxis: chart.lying ? along : values,
        }),
        series: inOrder(chart.series).map((one) => ({
          name: one.name,
          type: chart.kind,
          data: one.data,
          ...(ownColour(one.name) !== null && { color: colour(ownColour(one.name)!) }),
          ...(chart.stacked && { stack: "all" }),
          ...(chart.area && { areaStyle: { opacity: 0.35 } }),
          ...(chart.kind === "line" && { showSymbol: one.data.length < 40 }),
          ...(chart.kind === "pie" && { radius: ["45%", "75%"], label: { color: colour("--ink") } }),
        })),
      });
      resize.observe(target);
    });
    return () => {
      gone = true;
      resize.disconnect();
      drawn?.dispose();
    };
  }, [chart === null ? "" : JSON.stringify(chart)]);
  if (chart === null) return <p className="quiet">These rows do not make a {render.visualization}: it needs a number, and something to set it against.</p>;
  return <div ref={place} className="chart" role="img" aria-label={`${render.visualization} of ${chart.series.map((one) => one.name).join(", ")}`} />;
}
