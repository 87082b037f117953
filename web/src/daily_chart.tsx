// Alerts per UTC day, stacked by severity.
import { useEffect, useRef } from "react";
import type { BarSeriesOption } from "echarts/charts";
import type { EChartsType } from "echarts/core";
import { type Day, severities } from "./model";

const shown = ["Informational", "Low", "Medium", "High"] as const; // bottom to top: the worst is on top

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(days: Day[]) {
  const text = colour("--quiet");
  const series: BarSeriesOption[] = shown.map((severity) => ({
    name: severity,
    type: "bar",
    stack: "alerts",
    barCategoryGap: "28%",
    itemStyle: { color: colour(`--${severity.toLowerCase()}`), borderRadius: 1 },
    emphasis: { focus: "series" },
    data: days.map((day) => day[severity]),
  }));
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 250,
    textStyle: { fontFamily: "inherit" },
    grid: { left: 8, right: 8, top: 34, bottom: 4, containLabel: true },
    legend: { top: 0, right: 0, data: [...severities], itemWidth: 10, itemHeight: 10, textStyle: { color: text } },
    tooltip: {
      trigger: "axis" as const,
      renderMode: "richText" as const,
      backgroundColor: colour("--surface"),
      borderColor: colour("--line"),
      textStyle: { color: colour("--ink") },
      axisPointer: { type: "shadow" as const },
    },
    xAxis: {
      type: "category" as const,
      data: days.map((day) => day.date.slice(5)),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: colour("--line") } },
      axisLabel: { color: text },
    },
    yAxis: {
      type: "value" as const,
      minInterval: 1,
      axisLabel: { color: text },
      splitLine: { lineStyle: { color: colour("--line") } },
    },
    series,
  };
}

export function DailyChart({ days }: { days: Day[] }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType | null>(null);
  const latest = useRef(days);
  latest.current = days;

  useEffect(() => {
    let gone = false;
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => chart.current?.setOption(options(latest.current));
    const resize = new ResizeObserver(() => chart.current?.resize());
    void import("./chart_library").then(({ createChart }) => {
      if (gone || !place.current) return;
      chart.current = createChart(place.current);
      redraw();
      resize.observe(place.current);
    });
    scheme.addEventListener("change", redraw);
    return () => {
      gone = true;
      scheme.removeEventListener("change", redraw);
      resize.disconnect();
      chart.current?.dispose();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    chart.current?.setOption(options(days));
  }, [days]);

  const total = days.reduce((sum, day) => sum + severities.reduce((all, one) => all + day[one], 0), 0);
  return (
    <div
      ref={place}
      className="chart"
      role="img"
      aria-label={`Alerts per day in the last ${days.length} days, stacked by severity; ${total} in all`}
    />
  );
}
