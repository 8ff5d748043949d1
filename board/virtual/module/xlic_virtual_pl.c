// SPDX-License-Identifier: GPL-2.0
/*
 * What a ZCU102's kernel shows of the programmable logic, on a guest whose memory the host shares:
 *
 *  - /sys/class/fpga_manager/fpga0/{name,state,flags,firmware}, as Xilinx's kernel has it; the
 *    bitstream is handed to a process on the host, which says whether it takes it
 *  - /dev/uioN: the page that stands for the accelerator's registers, and its interrupt, with the
 *    semantics of uio_pdrv_genirq
 *  - /dev/udmabuf0 and /sys/class/u-dma-buf/udmabuf0/{phys_addr,size}, as u-dma-buf has them
 *  - /sys/class/hwmon/hwmonN: a temperature and a voltage. They never change: nothing gets warm here
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/firmware.h>
#include <linux/fs.h>
#include <linux/hwmon.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>
#include <linux/uio_driver.h>
#include <linux/version.h>

/* Mailbox to the host; xlic/board/virtual/layout.py has the same. */
#define MAILBOX_COMMAND 0x00
#define MAILBOX_STATUS 0x04
#define MAILBOX_LENGTH 0x08
#define MAILBOX_FLAGS 0x0c
#define MAILBOX_NAME 0x40
#define MAILBOX_NAME_BYTES 256

#define COMMAND_NONE 0
#define COMMAND_LOAD 1
#define STATUS_PENDING 0
#define STATUS_LOADED 1

#define HOST_TIMEOUT_MS 60000

enum { REGISTERS, MAILBOX, STAGING, BUFFER, REGIONS };

static struct resource *region[REGIONS];
static void __iomem *mailbox;
static void *staging;
static void *buffer;

/* --- FPGA manager ------------------------------------------------------------------------- */

static DEFINE_MUTEX(fpga_lock);
static const char *fpga_state = "unknown";
static unsigned long fpga_flags;

static ssize_t name_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "Xilinx ZynqMP FPGA Manager\n");
}
static DEVICE_ATTR_RO(name);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", fpga_state);
}
static DEVICE_ATTR_RO(state);

static ssize_t flags_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lx\n", fpga_flags);
}

static ssize_t flags_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	int ret = kstrtoul(buf, 16, &fpga_flags);

	return ret ? ret : count;
}
static DEVICE_ATTR_RW(flags);

/* Hand the bitstream to the host and wait for its verdict. */
static int host_load(const char *name, size_t bytes)
{
	unsigned int waited;
	u32 status = STATUS_PENDING;

	memset_io(mailbox + MAILBOX_NAME, 0, MAILBOX_NAME_BYTES);
	memcpy_toio(mailbox + MAILBOX_NAME, name, strnlen(name, MAILBOX_NAME_BYTES - 1));
	writel(bytes, mailbox + MAILBOX_LENGTH);
	writel(fpga_flags, mailbox + MAILBOX_FLAGS);
	writel(STATUS_PENDING, mailbox + MAILBOX_STATUS);
	wmb(); /* the host sees the command last */
	writel(COMMAND_LOAD, mailbox + MAILBOX_COMMAND);
	for (waited = 0; waited < HOST_TIMEOUT_MS; waited++) {
		status = readl(mailbox + MAILBOX_STATUS);
		if (status != STATUS_PENDING)
			break;
		usleep_range(800, 1200);
	}
	writel(COMMAND_NONE, mailbox + MAILBOX_COMMAND);
	if (status == STATUS_PENDING)
		return -ETIMEDOUT;
	return status == STATUS_LOADED ? 0 : -EINVAL;
}

/* The states and errors of drivers/fpga/fpga-mgr.c. */
static int fpga_load(struct device *dev, const char *name)
{
	const struct firmware *image;
	int ret;

	dev_info(dev, "writing %s to Xilinx ZynqMP FPGA Manager\n", name);
	fpga_state = "firmware request";
	ret = request_firmware(&image, name, dev);
	if (ret) {
		fpga_state = "firmware request error";
		dev_err(dev, "Error requesting firmware %s\n", name);
		return ret;
	}
	fpga_state = "write init";
	if (fpga_flags) {
		/* Partial, encrypted or authenticated: there is none of that here. */
		fpga_state = "write init error";
		dev_err(dev, "Error preparing FPGA for writing\n");
		ret = -EINVAL;
		goto out;
	}
	fpga_state = "write";
	if (image->size > resource_size(region[STAGING])) {
		ret = -ENOMEM;
	} else {
		memcpy(staging, image->data, image->size);
		ret = host_load(name, image->size);
	}
	if (ret) {
		fpga_state = "write error";
		dev_err(dev, "Error while writing image data to FPGA\n");
		goto out;
	}
	fpga_state = "write complete";
	fpga_state = "operating";
out:
	release_firmware(image);
	return ret;
}

static ssize_t firmware_store(struct device *dev, struct device_attribute *attr, const char *buf,
			      size_t count)
{
	char name[NAME_MAX];
	ssize_t length = strscpy(name, buf, sizeof(name));
	int ret;

	if (length < 0)
		return -EINVAL;
	if (length && name[length - 1] == '\n')
		name[length - 1] = '\0';
	mutex_lock(&fpga_lock);
	ret = fpga_load(dev, name);
	mutex_unlock(&fpga_lock);
	return ret ? ret : count;
}
static DEVICE_ATTR_WO(firmware);

static struct attribute *fpga_attrs[] = {
	&dev_attr_name.attr, &dev_attr_state.attr, &dev_attr_flags.attr, &dev_attr_firmware.attr, NULL,
};
ATTRIBUTE_GROUPS(fpga);

/* --- DMA buffer --------------------------------------------------------------------------- */

static ssize_t phys_addr_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0x%016llx\n", (u64)region[BUFFER]->start);
}
static DEVICE_ATTR_RO(phys_addr);

static ssize_t size_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", (u64)resource_size(region[BUFFER]));
}
static DEVICE_ATTR_RO(size);

static struct attribute *buffer_attrs[] = {
	&dev_attr_phys_addr.attr, &dev_attr_size.attr, NULL,
};
ATTRIBUTE_GROUPS(buffer);

static int buffer_mmap(struct file *file, struct vm_area_struct *vma)
{
	size_t bytes = vma->vm_end - vma->vm_start;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;

	if (offset + bytes > resource_size(region[BUFFER]))
		return -EINVAL;
	vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	return remap_pfn_range(vma, vma->vm_start, (region[BUFFER]->start + offset) >> PAGE_SHIFT,
			       bytes, vma->vm_page_prot);
}

static loff_t buffer_llseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, resource_size(region[BUFFER]));
}

static ssize_t buffer_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	return simple_read_from_buffer(to, count, at, buffer, resource_size(region[BUFFER]));
}

static ssize_t buffer_write(struct file *file, const char __user *from, size_t count, loff_t *at)
{
	return simple_write_to_buffer(buffer, resource_size(region[BUFFER]), at, from, count);
}

static const struct file_operations buffer_operations = {
	.owner = THIS_MODULE,
	.llseek = buffer_llseek,
	.read = buffer_read,
	.write = buffer_write,
	.mmap = buffer_mmap,
};
static struct miscdevice buffer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "udmabuf0",
	.fops = &buffer_operations,
	.mode = 0600,
};

/* --- UIO ---------------------------------------------------------------------------------- */

static struct uio_info uio = { .name = "xlic", .version = "1" };
static unsigned long uio_masked;
static DEFINE_SPINLOCK(uio_lock);

/* The line stays high until the accelerator is told: mask it until user space writes 1. */
static irqreturn_t uio_interrupt(int irq, struct uio_info *info)
{
	spin_lock(&uio_lock);
	if (!__test_and_set_bit(0, &uio_masked))
		disable_irq_nosync(irq);
	spin_unlock(&uio_lock);
	return IRQ_HANDLED;
}

static int uio_control(struct uio_info *info, s32 on)
{
	unsigned long flags;

	spin_lock_irqsave(&uio_lock, flags);
	if (on) {
		if (__test_and_clear_bit(0, &uio_masked))
			enable_irq(info->irq);
	} else if (!__test_and_set_bit(0, &uio_masked)) {
		disable_irq_nosync(info->irq);
	}
	spin_unlock_irqrestore(&uio_lock, flags);
	return 0;
}

/* --- sensors ------------------------------------------------------------------------------ */

#define SENSOR_MILLIDEGREES 42500
#define SENSOR_MILLIVOLTS 850

static umode_t sensor_visible(const void *data, enum hwmon_sensor_types type, u32 attr, int channel)
{
	return 0444;
}

static int sensor_read(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
		       long *value)
{
	*value = type == hwmon_temp ? SENSOR_MILLIDEGREES : SENSOR_MILLIVOLTS;
	return 0;
}

static int sensor_label(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
			const char **text)
{
	*text = type == hwmon_temp ? "ps" : "vccint";
	return 0;
}

static const struct hwmon_ops sensor_ops = {
	.is_visible = sensor_visible,
	.read = sensor_read,
	.read_string = sensor_label,
};

static const struct hwmon_channel_info *sensor_channels[] = {
	HWMON_CHANNEL_INFO(temp, HWMON_T_INPUT | HWMON_T_LABEL),
	HWMON_CHANNEL_INFO(in, HWMON_I_INPUT | HWMON_I_LABEL),
	NULL,
};

static const struct hwmon_chip_info sensor_chip = {
	.ops = &sensor_ops,
	.info = sensor_channels,
};

/* --- driver ------------------------------------------------------------------------------- */

static struct class *new_class(const char *name, const struct attribute_group **groups)
{
	struct class *made;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	made = class_create(name);
#else
	made = class_create(THIS_MODULE, name);
#endif
	if (!IS_ERR(made))
		made->dev_groups = groups;
	return made;
}

static int virtual_pl_probe(struct platform_device *pdev)
{
	struct class *managers, *buffers;
	struct device *sensors;
	int i, ret;

	for (i = 0; i < REGIONS; i++) {
		region[i] = platform_get_resource(pdev, IORESOURCE_MEM, i);
		if (!region[i])
			return -ENODEV;
	}
	mailbox = devm_ioremap(&pdev->dev, region[MAILBOX]->start, resource_size(region[MAILBOX]));
	staging = devm_memremap(&pdev->dev, region[STAGING]->start,
				resource_size(region[STAGING]), MEMREMAP_WC);
	buffer = devm_memremap(&pdev->dev, region[BUFFER]->start, resource_size(region[BUFFER]),
			       MEMREMAP_WC);
	if (!mailbox || IS_ERR_OR_NULL(staging) || IS_ERR_OR_NULL(buffer))
		return -ENOMEM;

	managers = new_class("fpga_manager", fpga_groups);
	if (IS_ERR(managers))
		return PTR_ERR(managers);
	device_create(managers, &pdev->dev, 0, NULL, "fpga0");
	buffers = new_class("u-dma-buf", buffer_groups);
	if (IS_ERR(buffers))
		return PTR_ERR(buffers);
	device_create(buffers, &pdev->dev, 0, NULL, "udmabuf0");
	ret = misc_register(&buffer_device);
	if (ret)
		return ret;
	sensors = devm_hwmon_device_register_with_info(&pdev->dev, "virtual_zcu102", NULL,
						       &sensor_chip, NULL);
	if (IS_ERR(sensors))
		return PTR_ERR(sensors);

	uio.mem[0].name = "registers";
	uio.mem[0].addr = region[REGISTERS]->start;
	uio.mem[0].size = resource_size(region[REGISTERS]);
	uio.mem[0].memtype = UIO_MEM_PHYS;
	uio.irq = platform_get_irq(pdev, 0);
	if (uio.irq < 0)
		return uio.irq;
	uio.handler = uio_interrupt;
	uio.irqcontrol = uio_control;
	return uio_register_device(&pdev->dev, &uio);
}

static const struct of_device_id virtual_pl_ids[] = {
	{ .compatible = "xlic,virtual-pl" },
	{}
};
MODULE_DEVICE_TABLE(of, virtual_pl_ids);

static struct platform_driver virtual_pl_driver = {
	.probe = virtual_pl_probe,
	.driver = {
		.name = "xlic-virtual-pl",
		.of_match_table = virtual_pl_ids,
		/* Loaded once and never unbound. */
		.suppress_bind_attrs = true,
	},
};
builtin_platform_driver(virtual_pl_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Programmable logic of a virtual ZCU102");
