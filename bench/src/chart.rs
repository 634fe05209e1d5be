//! A report as a picture: what happened second by second, and which process used the CPU.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::FontDesc;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::{Report, Usage};
use crate::series::Second;

const WIDTH: u32 = 1_000;
const HEAD: u32 = 64;
const PANEL: u32 = 260;
/// Heights of a bar, which is a process, and of the frame around the bars.
const BAR: u32 = 24;
const BARS_FRAME: u32 = 90;
/// Room for the numbers beside an axis, for the names of processes, and for those of lines.
const AXIS: u32 = 70;
const NAMES: u32 = 150;
const LEGEND: u32 = 230;

const BLUE: RGBColor = RGBColor(31, 119, 180);
const ORANGE: RGBColor = RGBColor(230, 110, 10);
const GREEN: RGBColor = RGBColor(44, 140, 44);
const PURPLE: RGBColor = RGBColor(130, 90, 180);
const GREY: RGBColor = RGBColor(232, 232, 232);
const BROWN: RGBColor = RGBColor(140, 86, 75);
const DARK: RGBColor = RGBColor(90, 90, 90);
/// Enough for the lines of a panel, and for the parts of a fleet.
const COLOURS: [RGBColor; 6] = [BLUE, ORANGE, GREEN, PURPLE, BROWN, DARK];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line of a panel: its name, and its value in each second that has one.
struct Line {
    name: String,
    values: Vec<Option<f64>>,
}

/// The picture as SVG.
pub fn draw(report: &Report, title: &str) -> Result<String> {
    let memory = report.drain.iter().flat_map(|drain| &drain.memory);
    let memory: Vec<Line> = memory
        .map(|service| Line {
            name: service.name.clone(),
            values: service.by_second_mib.iter().copied().map(Some).collect(),
        })
        .collect();
    let panels = 2 + u32::from(!memory.is_empty());
    let bars = BARS_FRAME + BAR * u32::try_from(report.processes.len())?;
    let mut svg = String::new();
    {
        let backend = SVGBackend::with_string(&mut svg, (WIDTH, HEAD + PANEL * panels + bars));
        let root = backend.into_drawing_area();
        root.fill(&WHITE)?;
        let (head, mut rest) = root.split_vertically(HEAD);
        head.draw_text(title, &font(22).color(&BLACK), (20, 14))?;
        head.draw_text(&report.plan.to_string(), &font(15).color(&BLACK), (20, 42))?;
        let mut next = || {
            let (panel, below) = rest.split_vertically(PANEL);
            rest = below;
            panel
        };
        draw_throughput(&next(), report)?;
        draw_latency(&next(), report)?;
        if !memory.is_empty() {
            let top = highest(&memory) * 1.15;
            draw_lines(&next(), report, "memory of each service", "MiB", 0.0..top, &memory)?;
        }
        draw_cpu(&rest, &report.processes)?;
        root.present()?;
    }
    Ok(svg)
}

fn draw_throughput(area: &Area<'_>, report: &Report) -> Result<()> {
    let line = |name: &str, of: fn(&Second) -> u64| Line {
        name: name.to_owned(),
        values: report.by_second.iter().map(|second| Some(of(second) as f64)).collect(),
    };
    let lines = [
        line("completed", |second| second.completed),
        line("placed", |second| second.acknowledged),
    ];
    let top = highest(&lines) * 1.15;
    draw_lines(area, report, "orders per second", "orders/s", 0.0..top, &lines)
}

fn draw_latency(area: &Area<'_>, report: &Report) -> Result<()> {
    let line = |name: &str, of: fn(&Second) -> Option<f64>| Line {
        name: name.to_owned(),
        values: report.by_second.iter().map(of).collect(),
    };
    let lines = [
        line("placed to completed, p99", |second| second.complete.map(|ms| ms.p99_ms)),
        line("placed to completed, p50", |second| second.complete.map(|ms| ms.p50_ms)),
        line("placed to acknowledged, p99", |second| second.acknowledge.map(|ms| ms.p99_ms)),
        line("placed to acknowledged, p50", |second| second.acknowledge.map(|ms| ms.p50_ms)),
    ];
    let lowest = lines.iter().flat_map(|line| line.values.iter().flatten()).copied();
    // Whole decades, so that the line can be read off.
    let lowest = lowest.fold(1_000.0, f64::min).max(0.01).log10().floor();
    let decades = 10_f64.powf(lowest)..10_f64.powf(highest(&lines).max(1.0).log10().ceil());
    draw_lines(area, report, "latency", "ms", decades.log_scale(), &lines)
}

fn draw_lines<Y>(
    area: &Area<'_>,
    report: &Report,
    title: &str,
    unit: &str,
    range: Y,
    lines: &[Line],
) -> Result<()>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let seconds = report.by_second.len().max(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, font(18))
        .margin_right(LEGEND)
        .margin_left(8)
        .x_label_area_size(42)
        .y_label_area_size(AXIS)
        .build_cartesian_2d(0.0..seconds, range)?;
    shade_absence(&chart.plotting_area().strip_coord_spec(), report, seconds)?;
    let number = |value: &f64| match *value {
        small if small < 1.0 && small > 0.0 => format!("{small:.2}"),
        value => format!("{value:.0}"),
    };
    chart
        .configure_mesh()
        .x_desc("seconds of the window")
        .y_desc(unit)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .label_style(font(13))
        .axis_desc_style(font(14))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let (width, _) = area.dim_in_pixel();
    let x = i32::try_from(width - LEGEND)? + 16;
    let mut rows = (50..).step_by(20);
    let mut explain = |name: &str, colour: RGBColor, thickness: i32| -> Result<()> {
        let y = rows.next().unwrap_or_default();
        let corners = [(x, y - thickness), (x + 18, y + thickness)];
        area.draw(&Rectangle::new(corners, colour.filled()))?;
        Ok(area.draw_text(name, &beside(HPos::Left), (x + 26, y))?)
    };
    for (line, colour) in lines.iter().zip(COLOURS) {
        for run in runs(&line.values) {
            chart.draw_series(LineSeries::new(run, colour.stroke_width(2)))?;
        }
        explain(&line.name, colour, 1)?;
    }
    if report.drain.is_some() {
        explain("Kafka away", GREY, 6)?;
    }
    Ok(())
}

fn draw_cpu(area: &Area<'_>, processes: &[Usage]) -> Result<()> {
    let most = processes.iter().map(|process| process.cpu_us_per_order).fold(1.0, f64::max);
    let all: f64 = processes.iter().map(|process| process.cpu_us_per_order).sum();
    let count = processes.len();
    let mut chart = ChartBuilder::on(area)
        .caption(format!("CPU per completed order by process, {all:.0} us in all"), font(18))
        .margin_right(24)
        .margin_left(8)
        .x_label_area_size(42)
        .y_label_area_size(NAMES)
        .build_cartesian_2d(0.0..most * 1.15, 0.0..count as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .y_labels(0)
        .x_desc("us")
        .x_label_formatter(&|value| format!("{value:.0}"))
        .label_style(font(13))
        .axis_desc_style(font(14))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let (area_x, area_y) = area.get_base_pixel();
    for (row, process) in processes.iter().enumerate() {
        let (bottom, us) = ((count - 1 - row) as f64, process.cpu_us_per_order);
        let corners = [(0.0, bottom + 0.15), (us, bottom + 0.85)];
        let colour = COLOURS[process.part as usize % COLOURS.len()];
        chart.draw_series([Rectangle::new(corners, colour.filled())])?;
        let (x, y) = chart.plotting_area().map_coordinate(&(us, bottom + 0.5));
        let y = y - area_y;
        area.draw_text(&format!("{us:.0}"), &beside(HPos::Left), (x - area_x + 6, y))?;
        area.draw_text(&process.name, &beside(HPos::Right), (i32::try_from(NAMES)?, y))?;
    }
    Ok(())
}

/// Marks the time without Kafka.
fn shade_absence(plot: &Area<'_>, report: &Report, seconds: f64) -> Result<()> {
    let Some(drain) = &report.drain else { return Ok(()) };
    let (width, height) = plot.dim_in_pixel();
    let x = |second: f64| (second / seconds * f64::from(width)) as i32;
    let (gone, back) = (x(drain.gone_at_second), x(drain.back_at_second));
    let bottom = i32::try_from(height)?;
    plot.draw(&Rectangle::new([(gone, 0), (back, bottom)], GREY.filled()))?;
    Ok(())
}

/// The stretches of a line without a gap; a value is in the middle of its second.
fn runs(values: &[Option<f64>]) -> impl Iterator<Item = Vec<(f64, f64)>> + '_ {
    let points: Vec<Option<(f64, f64)>> = (0..)
        .zip(values)
        .map(|(n, value)| value.map(|value| (f64::from(n) + 0.5, value)))
        .collect();
    let stretches: Vec<Vec<(f64, f64)>> = points
        .split(Option::is_none)
        .map(|stretch| stretch.iter().flatten().copied().collect())
        .collect();
    stretches.into_iter().filter(|stretch| !stretch.is_empty())
}

fn highest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| line.values.iter().flatten()).copied().fold(1.0, f64::max)
}

/// Text that begins or ends beside a point, half of it above.
fn beside(side: HPos) -> TextStyle<'static> {
    font(13).color(&BLACK).pos(Pos::new(side, VPos::Center))
}

fn font(size: u32) -> FontDesc<'static> {
    ("sans-serif", size).into_font()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_where_a_second_has_no_value() {
        let found: Vec<_> = runs(&[None, Some(1.0), Some(2.0), None, None, Some(3.0)]).collect();
        assert_eq!(found, [vec![(1.5, 1.0), (2.5, 2.0)], vec![(5.5, 3.0)]]);
    }
}
